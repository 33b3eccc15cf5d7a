-- Every dimension key of every fact names a row of its dimension: nobody's rows fall out of a join. What
-- nobody
-- knows is a member too (unmatched), and so is what does not apply.
{% set dimensions = {
    "customer_key": "dim_customer",
    "supplier_key": "dim_supplier",
    "product_key": "dim_product",
    "company_key": "dim_organisation",
    "organisation_key": "dim_organisation",
    "employee_key": "dim_employee",
    "warehouse_key": "dim_warehouse",
    "account_key": "dim_account",
} %}
{% set facts = [
    (
        "fct_approval_step",
        ["applicant_employee_key", "employee_key", "organisation_key", "company_key"],
    ),
    ("fct_approval", ["applicant_employee_key", "organisation_key", "company_key"]),
    ("fct_platform_order", ["warehouse_key", "company_key"]),
    ("fct_sales_order", ["customer_key", "employee_key", "company_key"]),
    ("fct_platform_order_line", ["product_key", "warehouse_key", "company_key"]),
    ("fct_platform_refund_line", ["product_key", "company_key"]),
    ("fct_platform_settlement", ["company_key"]),
    ("fct_sales_invoice_line", ["customer_key", "product_key", "account_key", "company_key"]),
    ("fct_supplier_invoice_line", ["supplier_key", "product_key", "account_key", "company_key"]),
    ("fct_payment", ["customer_key", "supplier_key", "bank_account_key", "company_key"]),
    (
        "fct_ledger_entry_line",
        ["account_key", "customer_key", "supplier_key", "organisation_key", "company_key"],
    ),
    ("fct_timesheet_line", ["employee_key", "company_key"]),
    ("fct_attendance_day", ["employee_key", "company_key"]),
    ("fct_headcount_month", ["employee_key", "organisation_key", "company_key"]),
    ("fct_stock_move", ["product_key", "from_warehouse_key", "to_warehouse_key", "company_key"]),
    ("fct_stock_balance_day", ["product_key", "warehouse_key", "company_key"]),
    ("fct_stock_count_line", ["product_key", "warehouse_key", "company_key"]),
    ("fct_shipment", ["customer_key", "warehouse_key", "company_key"]),
    (
        "fct_work_order",
        ["product_key", "warehouse_key", "organisation_key", "employee_key", "company_key"],
    ),
    ("fct_material_issue", ["product_key", "warehouse_key", "organisation_key", "company_key"]),
    ("fct_production_output", ["product_key", "warehouse_key", "organisation_key", "company_key"]),
    ("fct_quality_check", ["product_key", "employee_key", "company_key"]),
    (
        "fct_purchase_order_line",
        [
            "supplier_key",
            "product_key",
            "warehouse_key",
            "employee_key",
            "organisation_key",
            "company_key",
        ],
    ),
    ("fct_goods_receipt_line", ["supplier_key", "product_key", "warehouse_key", "company_key"]),
    (
        "fct_purchase_request_line",
        ["product_key", "employee_key", "organisation_key", "company_key"],
    ),
    ("fct_purchase_to_pay", ["supplier_key", "product_key", "company_key"]),
    (
        "fct_sales_order_line",
        ["customer_key", "product_key", "warehouse_key", "employee_key", "company_key"],
    ),
    ("fct_delivery_line", ["customer_key", "product_key", "warehouse_key", "company_key"]),
    ("fct_opportunity", ["customer_key", "employee_key", "company_key"]),
    ("fct_order_to_cash", ["customer_key", "product_key", "company_key"]),
    ("fct_service_ticket", ["customer_key", "product_key", "employee_key", "company_key"]),
    ("fct_document_link", ["company_key"]),
    ("fct_process_event", ["employee_key", "company_key"]),
] %}
{% for fact, keys in facts %}
    {% for key in keys %}
        {% set named = namespace(dimension=none) %}
        {% for ending, dimension in dimensions.items() if key.endswith(ending) %}
            {% set named.dimension = (dimension, "organisation_key" if ending == "company_key" else ending) %}
        {% endfor %}
        select
            '{{ fact }}' as fact, '{{ key }}' as column_name, {{ key }} as member_key, count(*) as row_count
        from {{ ref(fact) }} as facts
        where
            facts.{{ key }} is null
            or not exists (
                select 1
                from {{ ref(named.dimension[0]) }} as members
                where members.{{ named.dimension[1] }} = facts.{{ key }}
            )
        group by {{ key }}
        {% if not loop.last %}
            union all
        {% endif %}
    {% endfor %}
    {% if not loop.last %}
        union all
    {% endif %}
{% endfor %}
