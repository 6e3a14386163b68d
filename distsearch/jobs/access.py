"""Access to a Ray cluster: the address of its dashboard, and a token."""

import json
import os
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from distsearch.errors import ClusterError, UserError
from distsearch.text import as_path

DEFAULT_ADDRESS = "http://127.0.0.1:8265"
ADDRESS_VARIABLES = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")
OLDEST_RAY = (2, 53)  # that distsearch works with
PATIENCE = 10.0  # seconds to wait for an answer


class _NoRedirects(HTTPRedirectHandler):
    """Refuses redirects, as the token is for this address alone."""

    def redirect_request(self, *arguments: object) -> None:
        return None


class Access(NamedTuple):
    """An http or https address without a trailing slash, and a token, empty if there is none."""

    address: str
    token: str

    @classmethod
    def of(cls, address: str, token_file: Path | None, environment: Mapping[str, str]) -> "Access":
        """The access as given, or else from Ray's environment variables. Raises UserError if it is unusable."""
        return cls(_address(address, environment), _token(token_file, environment))

    @property
    def host(self) -> str:
        """The host's name or number."""
        return urlsplit(self.address).hostname or ""

    @property
    def is_local(self) -> bool:
        """Whether the host is this machine, which no proxy can reach, nor should it have the token."""
        return self.host == "localhost" or self.host.startswith("127.") or self.host == "::1"

    @property
    def headers(self) -> dict[str, str]:
        """The headers of each request."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def version(self) -> str:
        """The cluster's version of Ray.

        Raises UserError if this is not a Ray dashboard, if its Ray is too old or if the token is refused; ClusterError
        if nothing answers.
        """
        request = Request(f"{self.address}/api/version", headers=self.headers)  # noqa: S310  (http or https)
        try:
            past_proxies = [ProxyHandler({})] if self.is_local else []
            with build_opener(_NoRedirects, *past_proxies).open(request, timeout=PATIENCE) as answer:
                version = json.load(answer)["ray_version"]
                numbers = tuple(int(part) for part in version.split(".")[:2])
        except HTTPError as error:
            raise self.refusal(error.code) from None
        except (URLError, OSError, HTTPException) as error:
            raise ClusterError(
                f"no Ray cluster answers at {self.address} ({getattr(error, 'reason', error)}): is it up, and is this "
                f"the address of its dashboard, such as {DEFAULT_ADDRESS}? Use --address for another"
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self.refusal(0) from None
        if numbers < OLDEST_RAY:
            oldest = ".".join(map(str, OLDEST_RAY))
            raise UserError(f"the cluster at {self.address} has Ray {version}: expected {oldest} or newer")
        return str(version)

    def refusal(self, code: int) -> UserError:
        """The error for an answer with this HTTP code; 0 for an answer that is not from Ray."""
        if code not in (401, 403):
            return UserError(
                f"{self.address} is not the dashboard of a Ray cluster: expected an address such as {DEFAULT_ADDRESS}"
            )
        if self.token:
            return UserError(
                f"the cluster at {self.address} refuses this token: give the file with its own to --token-file"
            )
        return UserError(
            f"the cluster at {self.address} requires a token: give its file with --token-file or RAY_AUTH_TOKEN_PATH"
        )


def _address(given: str, environment: Mapping[str, str]) -> str:
    address = given
    if not address:
        named = [environment.get(name, "") for name in ADDRESS_VARIABLES]
        address = next((each for each in named if each.startswith(("http://", "https://"))), DEFAULT_ADDRESS)
    if "://" not in address:
        address = f"http://{address}"
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        usable = False
    if not usable:
        raise UserError(f"--address: expected one such as {DEFAULT_ADDRESS}, got {address!r}")
    return address.rstrip("/")


def _token(file: Path | None, environment: Mapping[str, str]) -> str:
    """The token in the file, or the one that Ray itself would find."""
    path, needed = file, True
    if path is None and (token := environment.get("RAY_AUTH_TOKEN", "").strip()):
        return _checked(token, "RAY_AUTH_TOKEN")
    if path is None and (named := environment.get("RAY_AUTH_TOKEN_PATH")):
        path = as_path(named)
    if path is None:
        path, needed = Path(os.path.expanduser("~/.ray/auth_token")), False
    try:
        return _checked(path.read_text(encoding="utf-8").strip(), str(path))
    except OSError as error:
        if not needed:
            return ""
        raise UserError(f"cannot read the token in {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} does not hold a token: expected a line of text") from None


def _checked(token: str, source: str) -> str:
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise UserError(f"{source} does not hold a token: expected a line of letters and digits")
    return token
