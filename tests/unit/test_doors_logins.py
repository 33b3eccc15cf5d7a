"""Passwords of the SQL door: made once, in a file that is nobody else's business."""

from __future__ import annotations

import json
import stat

import pytest

from tieout.doors.logins import ensure_passwords, passwords_file, read_passwords


def test_a_password_is_made_once_and_kept(tmp_path):
    file = passwords_file(tmp_path)

    first = ensure_passwords(file, ["ana", "sam"])
    second = ensure_passwords(file, ["sam", "eve"])

    assert second["sam"] == first["sam"]
    assert set(read_passwords(file)) == {"ana", "sam", "eve"}
    assert len(set(read_passwords(file).values())) == 3
    assert all(len(password) >= 32 for password in first.values())


def test_only_the_owner_can_read_the_file(tmp_path):
    file = passwords_file(tmp_path)
    ensure_passwords(file, ["ana"])

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_file_others_can_read_is_not_used(tmp_path):
    file = passwords_file(tmp_path)
    ensure_passwords(file, ["ana"])
    file.chmod(0o644)

    with pytest.raises(PermissionError, match="can be read by other users"):
        ensure_passwords(file, ["ana"])


def test_deleting_a_line_makes_a_new_password(tmp_path):
    file = passwords_file(tmp_path)
    first = ensure_passwords(file, ["ana", "sam"])
    kept = read_passwords(file)
    del kept["ana"]
    file.write_text(json.dumps(kept))

    again = ensure_passwords(file, ["ana", "sam"])

    assert again["ana"] != first["ana"]
    assert again["sam"] == first["sam"]
