"""From where somebody asks, and which networks that may be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

from django.conf import settings
from django.http import HttpRequest

NETWORKS_MAX: Final = 20
_HOPS_MAX: Final = 20

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def networks_of(texts: Iterable[str]) -> list[Network]:
    """The networks that `texts` name, `10.0.0.0/8` or one address; ValueError names a bad one."""
    found: list[Network] = []
    for text in texts:
        try:
            found.append(ip_network(text.strip()))
        except ValueError as error:
            raise ValueError(f"{text.strip()[:60]!r} is no network: {error}.") from None
    if len(found) > NETWORKS_MAX:
        raise ValueError(f"At most {NETWORKS_MAX} networks, not {len(found)}.")
    return list(dict.fromkeys(found))


def is_within(address: Address | None, networks: Iterable[Network]) -> bool:
    return address is not None and any(address in network for network in networks)


def is_narrower(new: Iterable[Network], old: Iterable[Network]) -> bool:
    """Whether `new` allows nothing that `old` did not; no network at all is everywhere."""
    new, old = list(new), list(old)
    return not old or (bool(new) and all(_is_part(each, old) for each in new))


def _is_part(network: Network, of: Iterable[Network]) -> bool:
    if isinstance(network, IPv4Network):
        return any(isinstance(each, IPv4Network) and network.subnet_of(each) for each in of)
    return any(isinstance(each, IPv6Network) and network.subnet_of(each) for each in of)


def address_of(peer: str, forwarded: str, proxies: Sequence[Network]) -> Address | None:
    """Who asks: the peer, or whom trusted proxies say they asked for (`X-Forwarded-For`).

    Each proxy appends whom it was asked by, so the list is read from its end, and only as far as
    those who wrote it are trusted: what stands before that anybody may have made up. None where
    there is no address, as on a Unix socket.
    """
    address = _address(peer)
    if not proxies or not forwarded:
        return address
    for text in reversed(forwarded.split(",")[-_HOPS_MAX:]):
        if not is_within(address, proxies):
            break
        hop = _address(text)
        if hop is None:
            break
        address = hop
    return address


def asked_from(meta: Mapping[str, str], proxies: Sequence[Network]) -> Address | None:
    """The same, of a request's variables as WSGI names them."""
    return address_of(meta.get("REMOTE_ADDR", ""), meta.get("HTTP_X_FORWARDED_FOR", ""), proxies)


def _address(text: str) -> Address | None:
    text = text.strip()
    if text.startswith("["):  # [2001:db8::1]:4711
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:  # 203.0.113.5:4711
        text = text.partition(":")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return None
    # An IPv4 client on a socket for both.
    return getattr(found, "ipv4_mapped", None) or found


def address_of_request(request: HttpRequest) -> Address | None:
    """From where the request comes, by what the proxies of `DFT_TRUSTED_PROXIES` say."""
    return asked_from(request.META, settings.DFT_TRUSTED_PROXIES)
