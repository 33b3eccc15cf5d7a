"""Jira as one site answers it: Cloud (REST v3, `nextPageToken`) or Server (REST v2, `startAt` and `total`).

Tables: `issue` (fields `id`, `key`, then Jira's own field ids; one that refers to `user` is sent as a user, a choice
as an object with its name), `user`, `project`, `changelog` (by `issue`) and `changelog_item` (by `changelog`).

Options: `kind` (`cloud` or `server`), `user`, `token`, `zone` (of this account's profile: JQL's minutes), `max_results`
(what a page holds at most, 100), `newest_histories` (what `expand=changelog` shows on Cloud, 2), `retry_after`
(seconds, 1).
"""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.emulators.jql import JqlError, parsed
from sandbox.emulators.server import Call, Emulator, Refusal, Reply
from sandbox.emulators.values import moment
from sandbox.store import Field

_KINDS = {"text": "string", "integer": "number", "decimal": "number", "date": "date", "instant": "datetime", "choice": "option", "list": "array", "flag": "string"}  # fmt: skip
_OWN = {"id", "key"}


class Jira(Emulator):
    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.tokens[self.options["token"]] = float("inf")

    @property
    def cloud(self) -> bool:
        return self.options.get("kind", "cloud") == "cloud"

    def answer(self, call: Call) -> Reply:
        self._let_in(call)
        parts = call.path.strip("/").split("/")
        if parts[:2] != ["rest", "api"] or len(parts) < 4 or parts[2] not in {"2", "3"}:
            return _error(404, "dead link")
        if parts[2] == "3" and not self.cloud:
            return _error(404, "null for uri")
        rest = parts[3:]
        if rest == ["myself"]:
            user = next(iter(self.rows("user", limit=1)), None) or {"accountId": "1", "displayName": "API"}
            return Reply({**self._user(user), "timeZone": str(self._zone)})
        if rest == ["field"]:
            return Reply(self._fields())
        if rest == ["search", "jql"] and parts[2] == "3":
            return self._cloud_search(_asked(call))
        if rest == ["search"]:
            if self.cloud:
                return _error(
                    410, "The requested API has been removed. Please migrate to /rest/api/3/search/jql"
                )
            return self._server_search(_asked(call))
        if rest[0] == "issue" and len(rest) == 3 and rest[2] == "changelog" and self.cloud:
            return self._changelog(rest[1], call)
        if rest[0] == "issue" and len(rest) == 2:
            return self._issue(rest[1], call)
        if rest == ["project", "search"] and self.cloud:
            return self._listed(call, [self._project(row) for row in self.rows("project")], 50)
        if rest == ["project"]:
            return Reply([self._project(row) for row in self.rows("project")])
        return _error(404, "dead link")

    def rate_error(self, call: Call) -> Reply:
        headers = {"Retry-After": self.options.get("retry_after", "1"), "X-RateLimit-Remaining": "0"}
        return Reply(
            {"errorMessages": ["Rate limit exceeded."]},
            429,
            headers | {"RateLimit-Reason": "jira-burst-based"},
        )

    def quota_error(self, call: Call) -> Reply:
        headers = {"Retry-After": "2400", "RateLimit-Reason": "jira-quota-tenant-based"}
        return Reply({"errorMessages": ["Rate limit exceeded."]}, 429, headers)

    # --- who asks ----------------------------------------------------------------------------------

    def _let_in(self, call: Call) -> None:
        kind, _, given = call.headers.get("authorization", "").partition(" ")
        token, right = given, kind == "Bearer" and not self.cloud
        if kind == "Basic":
            user, _, token = base64.b64decode(given).decode().partition(":")
            right = user == self.options.get("user")
        if not right or not self.alive(token):
            words = "Client must be authenticated to access this resource."
            raise Refusal(Reply({"message": words, "status-code": 401}, 401))

    @property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.options.get("zone", "Asia/Shanghai"))

    # --- searches ----------------------------------------------------------------------------------

    def _cloud_search(self, asked: dict[str, Any]) -> Reply:
        where, values, order, bounded = self._query(asked)
        if not bounded:
            raise Refusal(
                _error(
                    400,
                    "Unbounded JQL queries are not allowed here. Please add a search restriction to your query.",
                )
            )
        start = 0
        if token := asked.get("nextPageToken"):
            try:
                said = json.loads(base64.urlsafe_b64decode(token))
                start, of = int(said["at"]), said["jql"]
            except (ValueError, KeyError):
                start = of = None
            if start is None or of != asked.get("jql"):
                raise Refusal(_error(400, "The provided next page token is invalid or expired."))
        size = self._size(asked, 50)
        rows = self.rows("issue", where, values, order, size + 1, start)
        more = len(rows) > size
        answer: dict[str, Any] = {"isLast": not more, "issues": self._issues(rows[:size], asked, default=[])}
        if more:
            said = json.dumps({"at": start + size, "jql": asked.get("jql")})
            answer["nextPageToken"] = base64.urlsafe_b64encode(said.encode()).decode()
        return Reply(answer)

    def _server_search(self, asked: dict[str, Any]) -> Reply:
        where, values, order, _ = self._query(asked)
        start, size = int(asked.get("startAt") or 0), self._size(asked, 50)
        rows = self.rows("issue", where, values, order, size, start)
        return Reply(
            {
                "startAt": start,
                "maxResults": size,
                "total": self.count("issue", where, values),
                "issues": self._issues(rows, asked, default=["*all"]),
            }
        )

    def _query(self, asked: dict[str, Any]) -> tuple[str, list[Any], str, bool]:
        projects = [row["key"] for row in self.rows("project")] if not self.is_revoked("issue") else []
        try:
            return parsed(
                str(asked.get("jql") or ""), lambda name: self.column("issue", name), projects, self._zone
            )
        except JqlError as wrong:
            raise Refusal(_error(400, str(wrong))) from None

    def _size(self, asked: dict[str, Any], default: int) -> int:
        return max(
            0, min(int(asked.get("maxResults") or default), int(self.options.get("max_results", "100")))
        )

    def _issues(
        self, rows: list[dict[str, Any]], asked: dict[str, Any], default: list[str]
    ) -> list[dict[str, Any]]:
        wanted = asked.get("fields") or default
        wanted = wanted.split(",") if isinstance(wanted, str) else wanted
        return [
            self._dressed(row, wanted, "changelog" in (asked.get("expand") or ""))
            for row in self.page(rows, "issue")
        ]

    def _dressed(self, row: dict[str, Any], wanted: list[str], histories: bool) -> dict[str, Any]:
        fields = {
            field.name: self._value(field, row.get(field.name))
            for field in self.tables["issue"].fields
            if field.name not in _OWN and ("*all" in wanted or field.name in wanted)
        }
        fields |= {
            name: row[name] for name in row.keys() - {item.name for item in self.tables["issue"].fields}
        }
        issue: dict[str, Any] = {
            "id": row["id"],
            "key": row["key"],
            "self": f"{self.address}/rest/api/2/issue/{row['id']}",
        }
        if fields:
            issue["fields"] = fields
        if histories:
            every = self._histories(row["id"])
            shown = every[-int(self.options.get("newest_histories", "2")) :] if self.cloud else every
            issue["changelog"] = {
                "startAt": 0,
                "maxResults": len(shown),
                "total": len(every),
                "histories": shown,
            }
        return issue

    # --- one issue ---------------------------------------------------------------------------------

    def _issue(self, name: str, call: Call) -> Reply:
        row = self._found(name)
        wanted = call.query.get("fields", "*all").split(",")
        return Reply(self._dressed(row, wanted, "changelog" in call.query.get("expand", "")))

    def _changelog(self, name: str, call: Call) -> Reply:
        return self._listed(call, self._histories(self._found(name)["id"]), 100, "changelog")

    def _found(self, name: str) -> dict[str, Any]:
        found = self.rows(
            "issue", f"{self.column('issue', 'id')} = ? or {self.column('issue', 'key')} = ?", [name, name]
        )
        if not found or self.is_revoked("changelog"):
            raise Refusal(_error(404, "Issue does not exist or you do not have permission to see it."))
        return found[0]

    def _histories(self, issue: str) -> list[dict[str, Any]]:
        found = self.rows(
            "changelog", f"{self.column('changelog', 'issue')} = ?", [issue], "cast(id as integer)"
        )
        authors = list({row["author"] for row in found})
        listed = self.rows("user", f'"accountId" in ({", ".join("?" * len(authors))})', authors)
        users = {row["accountId"]: row for row in listed}
        histories = []
        for row in found:
            items = self.rows(
                "changelog_item", f"{self.column('changelog_item', 'changelog')} = ?", [row["id"]]
            )
            said = [
                {key: item[key] for key in ("field", "fieldtype", "fromString", "toString")} for item in items
            ]
            author = self._user(users[row["author"]]) if row["author"] in users else None
            histories.append(
                {"id": row["id"], "author": author, "created": self._instant(row["created"]), "items": said}
            )
        return histories

    def _listed(self, call: Call, rows: list[dict[str, Any]], most: int, table: str = "project") -> Reply:
        start = int(call.query.get("startAt") or 0)
        size = min(int(call.query.get("maxResults") or 50), most, int(self.options.get("max_results", most)))
        shown = rows[start : start + size]
        last = start + len(shown) >= len(rows)
        page = {"startAt": start, "maxResults": size, "total": len(rows), "isLast": last}
        return Reply(page | {"values": self.page(shown, table)})

    # --- values ------------------------------------------------------------------------------------

    def _value(self, field: Field, value: Any) -> Any:
        if value is None:
            return None
        if field.refers == "user":
            found = self.rows("user", '"accountId" = ?', [value])
            return self._user(found[0]) if found else None
        if field.refers == "project":
            return self._project(self.rows("project", '"key" = ?', [value])[0])
        if field.kind == "choice":
            word = "value" if field.name.startswith("customfield_") else "name"
            return {"id": value, word: dict(field.options)[value]}
        if field.kind == "instant":
            return self._instant(value)
        if field.kind == "decimal":
            return Decimal(value)
        return json.loads(value) if field.kind == "list" else value

    def _instant(self, value: str) -> str:
        local = moment(value).astimezone(self._zone)
        return f"{local:%Y-%m-%dT%H:%M:%S}.000{local:%z}"

    def _user(self, row: dict[str, Any]) -> dict[str, Any]:
        if self.cloud:
            return {"accountId": row["accountId"], "displayName": row["displayName"], "active": True}
        return {
            "name": row["accountId"],
            "key": row["accountId"],
            "displayName": row["displayName"],
            "active": True,
        }

    def _project(self, row: dict[str, Any]) -> dict[str, Any]:
        return {"id": row["id"], "key": row["key"], "name": row["name"], "simplified": False}

    def _fields(self) -> list[dict[str, Any]]:
        found = []
        for field in self.tables["issue"].fields:
            if field.name in _OWN:
                continue
            custom = field.name.startswith("customfield_")
            kind = "user" if field.refers == "user" else _KINDS[field.kind]
            if field.refers == "project" or (field.kind == "choice" and not custom):
                kind = field.name
            schema: dict[str, Any] = {"type": kind} | ({"items": "string"} if kind == "array" else {})
            schema |= {"customId": int(field.name[12:])} if custom else {"system": field.name}
            found.append(
                {"id": field.name, "key": field.name, "name": field.title, "custom": custom, "schema": schema}
            )
        return [*found, {"id": "thumbnail", "key": "thumbnail", "name": "Images", "custom": False}]


def _asked(call: Call) -> dict[str, Any]:
    return (call.json or {}) if call.method == "POST" else dict(call.query)


def _error(status: int, words: str) -> Reply:
    return Reply({"errorMessages": [words], "errors": {}, "warningMessages": []}, status)
