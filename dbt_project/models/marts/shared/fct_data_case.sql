-- What the data leaves open: one row per case, with who must look at it and what is done until then. No row
-- of
-- any system disappears for one of these. What only one company's systems can leave open is a shape of its
-- own.
with

    -- what rests on a decision names it; a pair can be there for several
    pairs as (

        select *, nullif(regexp_extract(evidence, '\[(\d{8}T\d{12}Z-[0-9a-f]{8})\]', 1), '') as decision
        from {{ ref("review_pair") }}

    ),
    company_cases as ({{ every_company("data_cases") }}),
    unconverted as (select * from {{ ref("int_product_units__unconverted") }}),

    unpriced as (

        {% for fact, day, txn, cny in [
            ("fct_sales_order_line", "order_date", "order_amount_net_txn", "order_amount_net_cny"),
            (
                "fct_purchase_order_line",
                "order_date",
                "order_amount_net_txn",
                "order_amount_net_cny",
            ),
            ("fct_payment", "payment_date", "bank_amount_txn", "bank_amount_cny"),
            ("fct_opportunity", "opened_date", "opportunity_amount_txn", "opportunity_amount_cny"),
        ] %}
            select
                '{{ fact }}' as fact, company_code, currency_code, {{ day }} as on_date, count(*) as row_count
            from {{ ref(fact) }}
            where {{ cny }} is null and {{ txn }} is not null
            group by all
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}

    ),

    unmatched as (

        {% for fact, keys in [
            ("fct_sales_order_line", ["customer_key", "product_key", "employee_key"]),
            ("fct_delivery_line", ["customer_key", "product_key", "warehouse_key"]),
            ("fct_sales_invoice_line", ["customer_key", "product_key"]),
            ("fct_payment", ["customer_key", "supplier_key"]),
            ("fct_ledger_entry_line", ["account_key", "customer_key", "supplier_key"]),
            ("fct_purchase_order_line", ["supplier_key", "product_key"]),
            ("fct_goods_receipt_line", ["supplier_key", "product_key", "warehouse_key"]),
            ("fct_supplier_invoice_line", ["supplier_key", "product_key"]),
            ("fct_stock_move", ["product_key", "from_warehouse_key", "to_warehouse_key"]),
            ("fct_work_order", ["product_key"]),
            ("fct_platform_order_line", ["product_key"]),
            ("fct_service_ticket", ["customer_key", "product_key"]),
        ] %}
            {% for key in keys %}
                select
                    '{{ fact }}.{{ key }}' as subject,
                    company_code,
                    source_system,
                    source_stream,
                    min(source_record) as source_record,
                    count(*) as row_count
                from {{ ref(fact) }}
                where {{ key }} = 'unmatched'
                group by all
                {% if not loop.last %}
                    union all
                {% endif %}
            {% endfor %}
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}

    ),

    cases as (

        select
            case
                when reason = 'decision overruled by a later one'
                then 'decisions_contradict'
                when reason = 'decision on a record that no system ever sent'
                then 'decision_on_unknown_record'
                when reason = 'decided the same, but credit codes differ'
                then 'decided_same_with_two_codes'
                when reason = 'decided different'
                then 'decided_different_but_alike'
                when reason like '%credit code%'
                then 'would_join_two_legal_entities'
                else 'doubtful_pair'
            end as case_kind,
            entity || ' ' || a || ' = ' || b as subject,
            -- what only contradictions of documents have
            cast(null as text) as cause_subject,
            case
                entity
                when 'customer'
                then 'sales'
                when 'supplier'
                then 'purchasing'
                when 'employee'
                then 'hr'
                else 'inventory'
            end as owner,
            case
                when reason = 'decision overruled by a later one'
                then 'the later decision holds; of a circle the oldest gives way (tieout master undo)'
                when reason = 'decision on a record that no system ever sent'
                then 'joins and parts nothing until the record comes'
                when reason = 'decided the same, but credit codes differ'
                then 'joined, as it was decided'
                when reason = 'decided different'
                then 'kept apart, as it was decided'
                else 'kept apart until a steward decides (tieout master review)'
            end as safe_default,
            rule || ': ' || evidence as detail,
            1 as row_count,
            split_part(a, ':', 1) as source_system,
            case when decision is null then 'record' else 'decision' end as source_stream,
            coalesce(decision, a) as source_record
        from pairs
        union all by name
        select
            'unit_not_convertible' as case_kind,
            source_product || ' in ' || source_uom as subject,
            'inventory' as owner,
            'the line stays in its own unit; its quantity in the base unit is empty' as safe_default,
            problem as detail,
            line_count as row_count,
            source_system,
            'unit' as source_stream,
            source_product || '|' || source_uom as source_record
        from unconverted
        union all by name
        select
            'no_exchange_rate' as case_kind,
            currency_code || ' on ' || coalesce(cast(on_date as text), 'no day') as subject,
            'finance' as owner,
            'the amount in CNY is empty; while one that counts is, nothing is published' as safe_default,
            fact || ' of ' || company_code as detail,
            row_count,
            'tieout' as source_system,
            fact as source_stream,
            currency_code || '|' || coalesce(cast(on_date as text), '') as source_record
        from unpriced
        union all by name
        select *
        from company_cases
        union all by name
        select
            'unmatched_member' as case_kind,
            subject || ' of ' || company_code as subject,
            'data' as owner,
            'the rows stay, under unmatched, and are counted' as safe_default,
            source_system || '.' || source_stream as detail,
            row_count,
            source_system,
            source_stream,
            source_record
        from unmatched

    )

select
    {{ key(["'data_case'", "case_kind", "subject", "source_system", "source_stream", "source_record"]) }}
    as data_case_key,
    case_kind,
    subject,
    cause_subject,
    owner,
    safe_default,
    detail,
    row_count,
    cast(amount_txn as decimal(18, 2)) as amount_txn,
    currency_code,
    source_system,
    source_stream,
    source_record
from cases
