-- What happened to documents, by the day they carry: this company's systems keep no more.
with

    told as (

        {% for process, kind, event, model, number, day in [
            (
                "order_to_cash",
                "opportunity",
                "opened",
                "int_opportunities__huaxin",
                "opportunity_no",
                "opened_date",
            ),
            (
                "order_to_cash",
                "sales_order",
                "entered",
                "int_sales_order_lines__huaxin",
                "order_no",
                "order_date",
            ),
            (
                "order_to_cash",
                "delivery",
                "shipped",
                "int_delivery_lines__huaxin",
                "shipment_no",
                "ship_date",
            ),
            (
                "order_to_cash",
                "sales_invoice",
                "entered",
                "int_sales_invoice_lines__huaxin",
                "invoice_no",
                "invoice_date",
            ),
            (
                "purchase_to_pay",
                "purchase_order",
                "entered",
                "int_purchase_order_lines__huaxin",
                "order_no",
                "order_date",
            ),
            (
                "purchase_to_pay",
                "goods_receipt",
                "received",
                "int_goods_receipt_lines__huaxin",
                "shipment_no",
                "receipt_date",
            ),
            (
                "purchase_to_pay",
                "supplier_invoice",
                "entered",
                "int_supplier_invoice_lines__huaxin",
                "invoice_no",
                "invoice_date",
            ),
            (
                "plan_to_produce",
                "work_order",
                "finished",
                "int_work_orders__huaxin",
                "work_order_no",
                "effective_date",
            ),
        ] %}
            select
                '{{ process }}' as process_name,
                '{{ kind }}' as document_kind,
                {{ number }} as document_no,
                '{{ event }}' as event_name,
                min({{ day }}) as event_date,
                any_value(source_system) as source_system,
                any_value(source_stream) as source_stream,
                min(source_record) as source_record
            from {{ ref(model) }}
            where {{ number }} is not null and {{ day }} is not null
            group by {{ number }}
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}

    )

select
    {{ key(["'process_event'", "'huaxin'", "document_kind", "document_no", "event_name"]) }}
    as process_event_key,
    process_name,
    document_kind,
    document_no,
    event_name,
    timezone('{{ var("company_timezone") }}', cast(event_date as timestamp)) as event_at,
    event_date,
    false as is_to_the_second,
    'not_applicable' as employee_key,
    {{ of_company("HX") }},
    source_system,
    source_stream,
    source_record
from told
