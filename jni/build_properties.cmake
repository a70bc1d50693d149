# SPDX-License-Identifier: Apache-2.0
# Writes pomona-build.properties beside the library: cmake -DLIBRARY=... -DBUILD_ID=... -DPROCESSOR=... -P this

set(architecture ${PROCESSOR})
if(PROCESSOR STREQUAL "x86_64")
    set(architecture amd64)
elseif(PROCESSOR STREQUAL "arm64")
    set(architecture aarch64)
endif()
file(SHA256 ${LIBRARY} sum)
get_filename_component(directory ${LIBRARY} DIRECTORY)
file(WRITE ${directory}/pomona-build.properties "build.id=${BUILD_ID}\nsha256.linux.${architecture}=${sum}\n")
