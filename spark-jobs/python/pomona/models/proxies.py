# SPDX-License-Identifier: Apache-2.0
"""The proxies of the environment, in messages: named, but never with their passwords."""

import re
import urllib.request
from typing import List
from urllib.parse import unquote, urlsplit


def scrubbed(text: str) -> str:
    """The text without user and password of any address, or of the proxies of the environment."""
    text = re.sub(r"//[^/@\s]+@", "//***@", text)
    for secret in _proxy_secrets():
        text = text.replace(secret, "***")
    return text


def by_way_of(address: str) -> str:
    """Words for the end of an error: which proxy the request took; none for none."""
    parts = urlsplit(address)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if not proxy or urllib.request.proxy_bypass(parts.hostname or ""):
        return ""
    return f" (by way of the proxy {proxy.rpartition('@')[2].rpartition('//')[2].rstrip('/')})"


def _proxy_secrets() -> List[str]:
    """`user:password` and passwords of the proxies of the environment, as written and decoded; longest first."""
    found = set()
    for proxy in urllib.request.getproxies().values():
        user_info = proxy.rpartition("@")[0].rpartition("//")[2]
        password = user_info.partition(":")[2]
        found |= {user_info, password, unquote(user_info), unquote(password)}
    return sorted(found - {""}, key=len, reverse=True)
