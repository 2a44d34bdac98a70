"""The proxies that the environment names: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, and `NO_PROXY` for none."""

from base64 import b64encode
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from treadle_tracking.masking import masked
from treadle_tracking.mirrors.errors import InvalidSetting

__all__ = ["proxy_for", "proxy_headers"]


def proxy_for(parts: SplitResult) -> SplitResult | None:
    """The proxy for an address, with its port; None where there is none.

    Raises:
        InvalidSetting: what the environment names is no http proxy.
    """
    host = parts.hostname or ""
    if proxy_bypass(f"{host}:{parts.port}" if parts.port else host):
        return None
    proxies = getproxies()
    given = proxies.get(parts.scheme) or proxies.get("all")
    if not given:
        return None
    variable = f"{parts.scheme.upper()}_PROXY"
    try:
        proxy = urlsplit(given if "://" in given else f"http://{given}")
        port = proxy.port
    except ValueError:
        proxy, port = SplitResult("", "", "", "", ""), None
    if proxy.scheme != "http" or not proxy.hostname:
        raise InvalidSetting(
            variable, f"is {masked(given)!r}; expected http://HOST:PORT, the one kind that is known"
        )
    return proxy if port else proxy._replace(netloc=f"{proxy.netloc}:80")


def proxy_headers(proxy: SplitResult) -> dict[str, str]:
    """What a proxy wants to know of whoever asks: the user and password in its address."""
    if proxy.username is None:
        return {}
    user = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + b64encode(user.encode()).decode("ascii")}
