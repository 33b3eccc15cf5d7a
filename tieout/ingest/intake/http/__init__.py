"""HTTP systems: JSON or XML, asked page by page as a contract declares, landed as received."""

from tieout.ingest.intake.http.control import ask_control
from tieout.ingest.intake.http.pull import pull_http

__all__ = ["ask_control", "pull_http"]
