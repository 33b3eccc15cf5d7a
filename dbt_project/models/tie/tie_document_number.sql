-- How many documents each month's series of numbers has, and every number that is missing below its last
-- one: a
-- document that was lost or deleted, shown with the one that comes after it.
with

    {% set kinds = [
        ("sales_order", "fct_sales_order_line", "order_no", "company_code = 'HC'"),
        (
            "sales_order_line",
            "int_order_lines__huachen",
            "order_no || '-' || lpad(cast(line_no as text), 4, '0')",
            "company_code = 'HC'",
        ),
        ("sales_invoice", "fct_sales_invoice_line", "invoice_no", "company_code in ('HC', 'HCE')"),
        (
            "receipt",
            "fct_payment",
            "ledger_move_no",
            "company_code = 'HC' and payment_kind = 'customer_receipt'",
        ),
        ("supplier_invoice", "fct_supplier_invoice_line", "invoice_no", "company_code = 'HC'"),
        (
            "payment",
            "fct_payment",
            "ledger_move_no",
            "company_code = 'HC' and payment_kind = 'supplier_payment'",
        ),
        ("voucher", "fct_ledger_entry_line", "ledger_move_no", "company_code in ('HC', 'HCE')"),
    ] %}

    documents as (

        {% for kind, model, number, condition in kinds %}
            select
                '{{ kind }}' as document_kind,
                {{ number }} as document_no,
                company_code,
                source_system,
                source_stream,
                min(source_record) as source_record
            from {{ ref(model) }}
            where {{ condition }}
            group by {{ number }}, company_code, source_system, source_stream
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}

    ),

    -- the last four digits count, what stands before them names the series
    numbered as (

        select *, document_no[:-5] as series, try_cast(document_no[-4:] as integer) as place from documents

    ),

    neighboured as (

        select
            *,
            coalesce(
                lag(place) over (partition by document_kind, company_code, series order by place), 0
            ) as place_before
        from numbered
        where place is not null

    ),

    gaps as (

        select *, unnest(range(place_before + 1, place)) as missing_place
        from neighboured
        where place > place_before + 1

    )

select
    document_kind,
    series as document_no,
    count(*) as document_count,
    false as is_missing,
    company_code,
    min(source_system) as source_system,
    min(source_stream) as source_stream,
    min(source_record) as source_record
from neighboured
group by document_kind, series, company_code
union all
select
    document_kind,
    series || lpad(cast(missing_place as text), 4, '0') as document_no,
    1 as document_count,
    true as is_missing,
    company_code,
    source_system,
    source_stream,
    source_record
from gaps
