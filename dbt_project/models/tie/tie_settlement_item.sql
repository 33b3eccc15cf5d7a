-- Orders the shop sent and refunds it finished, each under the settlement whose days it falls into; what came
-- after the last settlement is `open`. A refund is negative.
with

    order_lines as (
        select * from {{ ref("fct_platform_order_line") }} where company_code = 'HC' and is_shipped
    ),
    refund_lines as (
        select *
        from {{ ref("fct_platform_refund_line") }}
        where company_code = 'HC' and refund_date is not null
    ),
    settlements as (select * from {{ ref("fct_platform_settlement") }} where company_code = 'HC'),

    items as (

        select
            'order' as item_kind,
            order_no as document_no,
            ship_date as item_date,
            sum(order_amount_gross_txn + freight_amount_gross_txn) as amount_cny,
            company_code,
            source_system,
            source_stream,
            min(source_record) as source_record
        from order_lines
        group by order_id, order_no, ship_date, company_code, source_system, source_stream
        union all
        select
            'refund' as item_kind,
            refund_no as document_no,
            refund_date as item_date,
            - refund_amount_gross_txn as amount_cny,
            company_code,
            source_system,
            source_stream,
            source_record
        from refund_lines

    )

select
    items.*,
    case
        when items.item_date <= settlements.last_date
        then settlements.settlement_no
        when items.item_date > (select max(last_date) from settlements)
        then 'open'
        else 'unmatched'
    end as settlement_no
from items
asof left join settlements on items.item_date >= settlements.first_date
