{{ every_company("ledger_entry_lines") }}
