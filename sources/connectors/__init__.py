"""The systems companies have, one file each: who we are to them, how hard they may be asked, what their errors mean,
how an object becomes a request, and what they say of their own objects.

`source.yaml` names the vendor (`connector: kingdee`) and per stream the vendor's object (`object: SAL_SaleOrder`).
Reading the contract expands both into the generic `http` and `request` of `sources.contract.http`, so one door does
all the work; whatever a person writes beside it wins.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sources.connectors.connector import Connector

# Imported when a contract names them.
CONNECTORS: dict[str, str] = {
    "dingtalk": "dingtalk:DingTalk",
    "dingtalk_flow": "dingtalk:DingTalkFlow",
    "feishu": "feishu:Feishu",
    "fxiaoke": "fxiaoke:Fxiaoke",
    "h3yun": "h3yun:H3yun",
    "jiandaoyun": "jiandaoyun:Jiandaoyun",
    "jira": "jira:Jira",
    "jushuitan": "jushuitan:Jushuitan",
    "kingdee": "kingdee:Kingdee",
    "mingdao": "mingdao:Mingdao",
    "salesforce": "salesforce:Salesforce",
    "sap": "sap:Sap",
    "shopify": "shopify:Shopify",
    "wecom": "wecom:WeCom",
    "yonbip": "yonbip:YonBip",
}


@cache
def connector_for(vendor: str) -> Connector:
    """The connector of a vendor.

    Raises: KeyError for a vendor that has none.
    """
    module, _, name = CONNECTORS[vendor].partition(":")
    return getattr(importlib.import_module(f"sources.connectors.{module}"), name)()


def expanded(document: dict[str, Any]) -> dict[str, Any]:
    """A contract as written, with its vendor's part filled in; a contract that names no vendor stays as it is.

    Raises: ValueError naming the stream and what is missing.
    """
    vendor = document.get("connector")
    if vendor not in CONNECTORS:
        return document
    return connector_for(vendor).expanded(document)
