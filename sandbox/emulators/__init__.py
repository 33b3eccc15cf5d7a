"""Small local servers that answer as the vendors' systems do, each over one `sandbox.store` file.

How to write one (`kingdee.py` is the model):

1. `class Feishu(Emulator)` in `feishu.py`; one method, `answer(call) -> Reply`, which finds the path and replies.
   `raise Refusal(Reply(...))` from anywhere below it. `EMULATORS` below names the class by its vendor.
2. `self.options[...]` holds this tenant's credentials and settings; what the sheet tags [U] is an option with a default.
3. Read only through `self.tables` (metadata), `self.rows(table, where, values, order, limit, offset)`,
   `self.count(...)`, and `self.column(table, field)` for the SQL name of a field a request names (KeyError: unknown).
   These know of drifted names and of rows that come late.
4. Send each page of rows through `self.page(rows, table)`, once: it truncates, repeats and adds a field. Where pages
   are found by a cursor, take the cursor from the rows before `page`, so that a lost row is lost in silence.
5. Tokens: `self.issue(seconds)`, `self.alive(token)` (counts uses and expires them), `self.now()` for every look at
   the clock (skew), `self.is_revoked(table)` for rights taken away.
6. `rate_error(call)` and `quota_error(call)` are the vendor's own replies; `is_counted(call)` says which calls the
   faults count (logins: no). 500, slow answers and cut bodies come from the base.
7. Decimal in a reply is written with exactly its digits; `values.py` turns the store's times into local or epoch ones.
8. Tests: `with serving(Kingdee(Store(path), options)) as url`, real requests, answers compared with the store's rows;
   `emulator.faults = Faults(truncate_page=2)` (counting starts anew), `emulator.calls` is what arrived.
"""

EMULATORS = {
    "dingtalk": "sandbox.emulators.dingtalk:DingTalk",
    "feishu": "sandbox.emulators.feishu:Feishu",
    "fxiaoke": "sandbox.emulators.fxiaoke:Fxiaoke",
    "h3yun": "sandbox.emulators.h3yun:H3yun",
    "jiandaoyun": "sandbox.emulators.jiandaoyun:Jiandaoyun",
    "jira": "sandbox.emulators.jira:Jira",
    "jushuitan": "sandbox.emulators.jushuitan:Jushuitan",
    "kingdee": "sandbox.emulators.kingdee:Kingdee",
    "mingdao": "sandbox.emulators.mingdao:Mingdao",
    "salesforce": "sandbox.emulators.salesforce:Salesforce",
    "sap": "sandbox.emulators.sap:Sap",
    "shopify": "sandbox.emulators.shopify:Shopify",
    "wecom": "sandbox.emulators.wecom:WeCom",
    "yonbip": "sandbox.emulators.yonbip:YonBip",
}
