"""The four ways into 金蝶云星空, each checked from the vendor's recipe: three logins and the signature of every call."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import quote

from sandbox.emulators.server import Call

SESSION = "kdservice-sessionid"
CONSTANT = b"0054f397c6234378b09ca7d3e5debce7"


def login(method: str, given: list[str], options: Mapping[str, str], now: float) -> str:
    """Why a login is refused; empty if it is not. `given` are its parameters: 数据中心, user, then the method's own."""
    user, app, secret = options["user"], options.get("app_id", ""), options.get("app_secret", "")
    if method == "ValidateUser":
        right = given[1:3] == [user, options.get("password", "")] and bool(given[2])
        return "" if right else "用户名或密码错误"
    if method == "LoginByAppSecret":
        return "" if given[1:4] == [user, app, secret] else "应用未授权或密钥错误"
    if method == "LoginBySign":
        _, said_user, said_app, stamp, sign = given[:5]
        if not _is_recent(stamp, options, now):
            return "时间戳已过期"
        right = [said_user, said_app] == [user, app] and hmac.compare_digest(
            sign.lower(), signed([given[0], user, app, secret, stamp])
        )
        return "" if right else "签名验证失败"
    return "不支持的登录方式"


def signed(parts: list[str]) -> str:
    """The sign of LoginBySign: SHA-256 of the parts in ordinal order, one behind the other."""
    return hashlib.sha256("".join(sorted(parts)).encode()).hexdigest()


def is_signed(call: Call) -> bool:
    return "x-kd-appkey" in call.headers


def signed_rightly(call: Call, options: Mapping[str, str], now: float) -> tuple[bool, bool]:
    """Of a signed call: does it name another 数据中心; are user, clock and all its signatures right?"""
    said = call.headers
    try:
        account = base64.b64decode(said.get("x-kd-appdata", ""), validate=True).decode()
    except ValueError:
        return False, False
    center, user = [*account.split(","), ""][:2]
    if center != options["acct_id"]:
        return True, False
    app, stamp, nonce = said["x-kd-appkey"], said.get("x-api-timestamp", ""), said.get("x-api-nonce", "")
    client, _, rest = options["app_id"].partition("_")
    path = quote(call.target.partition("?")[0], safe="/%").replace("/", "%2F")
    text = f"POST\n{path}\n\nx-api-nonce:{nonce}\nx-api-timestamp:{stamp}\n"
    right = (
        user == options["user"]
        and app == options["app_id"]
        and said.get("x-api-clientid") == client
        and said.get("x-api-auth-version") == "2.0"
        and bool(nonce)
        and _is_recent(stamp, options, now)
        and hmac.compare_digest(said.get("x-api-signature", ""), signature(text, client_secret(rest)))
        and hmac.compare_digest(
            said.get("x-kd-signature", ""), signature(app + account, options["app_secret"].encode())
        )
    )
    return False, right


def client_secret(rest: str) -> bytes:
    """The secret hidden in the second half of an app id."""
    return base64.b64encode(bytes(a ^ b for a, b in zip(base64.b64decode(rest), CONSTANT, strict=False)))


def signature(text: str, secret: bytes) -> str:
    return base64.b64encode(hmac.new(secret, text.encode(), hashlib.sha256).hexdigest().encode()).decode()


def _is_recent(stamp: str, options: Mapping[str, str], now: float) -> bool:
    return stamp.isdigit() and abs(now - int(stamp)) <= float(options.get("sign_window", "300"))
