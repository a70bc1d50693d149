# SPDX-License-Identifier: Apache-2.0
"""create-cluster.sh with the real AWS command line against a listener that records what would reach EMR."""

import http.server
import json
import subprocess
import threading

import pytest

from support import s3
from support.material import TOP

SCRIPT = TOP / "emr-bootstrap/create-cluster.sh"
RELEASE = "s3://release-bucket/pomona/0.1.0"
HASH = "ab" * 32
OPTIONS = {
    "--region": "eu-west-3",
    "--release": RELEASE,
    "--expect": HASH,
    "--log-uri": "s3://log-bucket/emr/",
    "--service-role": "EmrService",
    "--instance-profile": "PomonaNodes",
    "--subnet": "subnet-0a1b2c3d",
}


class _Recorder(http.server.BaseHTTPRequestHandler):
    requests: list = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.requests.append((self.headers["X-Amz-Target"], json.loads(body)))
        answer = b'{"JobFlowId": "j-POMONA"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def _redirected_aws(folder, url):
    """A folder with an `aws` that talks to `url` whatever the caller says: these tests cannot reach AWS."""
    shim = folder / "aws"
    shim.write_text(f'#!/bin/sh\nexec {s3.aws_bin()}/aws --endpoint-url {url} "$@"\n')
    shim.chmod(0o755)
    return str(folder)


@pytest.fixture
def emr(tmp_path):
    """The environment that leads to the recorder, and its list of (operation, request)."""
    _Recorder.requests = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Recorder) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        environment = s3.client_environment("key", "secret")
        shim = _redirected_aws(tmp_path, f"http://127.0.0.1:{listener.server_port}")
        environment["PATH"] = f"{shim}:{environment['PATH']}"
        yield environment, _Recorder.requests
        listener.shutdown()


def _create(environment, **changes):
    options = {**OPTIONS, **changes}
    words = [word for pair in options.items() if pair[1] is not None for word in pair]
    return subprocess.run(["bash", str(SCRIPT), *words], env=environment, capture_output=True, text=True)


def test_cluster_has_bootstrap_configuration_and_an_end(emr):
    environment, requests = emr
    made = _create(environment)
    assert (made.returncode, made.stdout.strip()) == (0, "j-POMONA"), made.stderr
    [(operation, request)] = requests
    assert operation == "ElasticMapReduce.RunJobFlow"
    [bootstrap] = request["BootstrapActions"]
    assert bootstrap["ScriptBootstrapAction"] == {
        "Path": f"{RELEASE}/install.sh",
        "Args": ["--from", RELEASE, "--expect", HASH, "--region", "eu-west-3"],
    }
    assert request["AutoTerminationPolicy"] == {"IdleTimeout": 3600}
    assert request["LogUri"] == "s3://log-bucket/emr/"
    assert request["JobFlowRole"] == "PomonaNodes" and request["ServiceRole"] == "EmrService"
    assert request["Configurations"] == json.loads((TOP / "emr-bootstrap/configurations.json").read_text())


def test_missing_option_is_named_and_nothing_is_started(emr):
    environment, requests = emr
    refused = _create(environment, **{"--region": None})
    assert refused.returncode == 2 and "--region is missing" in refused.stderr
    assert not requests


def test_policy_is_json_without_a_wildcard_resource_among_what_it_allows():
    policy = json.loads((TOP / "emr-bootstrap/instance-profile-policy.json").read_text())
    allowed = [statement for statement in policy["Statement"] if statement["Effect"] == "Allow"]
    assert allowed and all(statement["Resource"] != "*" and statement["Action"] != "s3:*" for statement in allowed)
