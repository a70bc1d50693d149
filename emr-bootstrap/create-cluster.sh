#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Starts an EMR cluster with Pomona on every node, which stops by itself when idle. Prints the cluster's id.
#
#   create-cluster.sh --region REGION --release s3://BUCKET/PREFIX --expect SHA256 --log-uri s3://BUCKET/PREFIX/
#                     --service-role NAME --instance-profile NAME --subnet ID
#                     [--workers N] [--type TYPE] [--emr LABEL] [--idle SECONDS]
#
#   --release             S3 prefix to which the folder made by stage.sh was copied
#   --expect              the sha256 that stage.sh printed
#   --service-role        EMR's own role; --instance-profile: the nodes' (instance-profile-policy.json)
#   --workers, --type     core nodes (default 2) and the type of all nodes (default m6i.xlarge)
#   --emr                 release label (default emr-7.13.0)
#   --idle                seconds without work until the cluster ends itself, 60 to 604800 (default 3600)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
region='' release='' expect='' log_uri='' service_role='' instance_profile='' subnet=''
workers=2
type=m6i.xlarge
emr='emr-7.13.0'
idle=3600

fail() {
    printf 'create-cluster: %s\n' "$*" >&2
    exit 2
}

parse_options() {
    local name
    while [ $# -gt 0 ]; do
        case $1 in
            --help) sed -n '4,/^set /s/^# \{0,1\}//p' "$0"; exit 0 ;;
            --region | --release | --expect | --log-uri | --service-role | --instance-profile | --subnet) ;;
            --workers | --type | --emr | --idle) ;;
            *) fail "unknown option '$1'; see --help" ;;
        esac
        [ $# -ge 2 ] || fail "$1 needs a value"
        name=${1#--}
        printf -v "${name//-/_}" '%s' "${2%/}"
        shift 2
    done
    for name in region release expect log_uri service_role instance_profile subnet; do
        [ -n "${!name}" ] || fail "--${name//_/-} is missing; see --help"
    done
}

main() {
    parse_options "$@"
    aws emr create-cluster --region "$region" --name pomona --release-label "$emr" --applications Name=Spark \
        --instance-groups "InstanceGroupType=MASTER,InstanceCount=1,InstanceType=$type" \
        "InstanceGroupType=CORE,InstanceCount=$workers,InstanceType=$type" \
        --service-role "$service_role" --ec2-attributes "InstanceProfile=$instance_profile,SubnetId=$subnet" \
        --tags for-use-with-amazon-emr-managed-policies=true \
        --bootstrap-actions "Name=pomona,Path=$release/install.sh,Args=[--from,$release,--expect,$expect,--region,$region]" \
        --configurations "file://$here/configurations.json" --log-uri "$log_uri/" \
        --auto-termination-policy "IdleTimeout=$idle" --query ClusterId --output text
}

main "$@"
