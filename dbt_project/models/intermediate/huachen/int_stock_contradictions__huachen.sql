-- Where stock documents contradict the cards of their products, or the times of another system. One row per
-- line or
-- document.
with

    receipts as (select * from {{ ref("stg_hc_u8__goods_receipts") }}),
    receipt_lines as (select * from {{ ref("stg_hc_u8__goods_receipt_lines") }}),
    inventories as (select * from {{ ref("stg_hc_u8__inventories") }}),
    issues as (select * from {{ ref("stg_hc_u8__other_issues") }} where source_business_type = '电商出库'),
    issue_lines as (select * from {{ ref("stg_hc_u8__other_issue_lines") }}),
    shop_orders as (select * from {{ ref("stg_hc_shop__orders") }} where shipped_at is not null),

    costs as (select document_id, sum(cost_amount_cny) as amount_txn from issue_lines group by document_id),

    -- a parcel leaves the shop's warehouse in the moment its stock document is made: what has a partner needs
    -- none
    lonely_issues as (select * from issues where created_at not in (select shipped_at from shop_orders)),
    lonely_orders as (select * from shop_orders where shipped_at not in (select created_at from issues)),

    -- the two of one parcel are apart by whole hours
    apart as (

        select
            lonely_issues.*,
            lonely_orders.* exclude (source_warehouse),
            lonely_orders.shipped_at - lonely_issues.created_at as late_by
        from lonely_issues
        inner join
            lonely_orders
            on lonely_orders.shipped_at
            between lonely_issues.created_at
            - interval 14 hours and lonely_issues.created_at
            + interval 24 hours
            and minute(lonely_orders.shipped_at) = minute(lonely_issues.created_at)
            and second(lonely_orders.shipped_at) = second(lonely_issues.created_at)

    ),

    local_times as (

        select
            *,
            timezone('{{ var("company_timezone") }}', shipped_at) as shipped_local,
            timezone('{{ var("company_timezone") }}', created_at) as created_local,
            -- one that reads its UTC as local time is behind by the whole zone
            late_by
            = timezone('{{ var("company_timezone") }}', created_at) - timezone('UTC', created_at) as is_in_utc
        from apart

    )

select
    'receipt_in_another_unit' as case_kind,
    receipts.receipt_no as subject,
    'inventory' as owner,
    'the quantity counts as the receipt says' as safe_default,
    receipt_lines.source_product
    || ': '
    || receipt_lines.receipt_qty
    || ' for '
    || receipt_lines.pack_qty
    || ' packs of '
    || inventories.units_per_pack as detail,
    receipt_lines.cost_amount_cny as amount_txn,
    '{{ var("reporting_currency") }}' as currency_code,
    'hc_u8' as source_system,
    'goods_receipt_line' as source_stream,
    cast(receipt_lines.line_id as text) as source_record
from receipt_lines
left join receipts on receipt_lines.document_id = receipts.document_id
inner join inventories on receipt_lines.source_product = inventories.source_product
where abs(receipt_lines.receipt_qty - receipt_lines.pack_qty * inventories.units_per_pack) > 0.001
union all by name
select
    'stock_document_timed_in_utc' as case_kind,
    local_times.document_no as subject,
    'inventory' as owner,
    'the stock document keeps its day' as safe_default,
    'made ' || created_local || ', the parcel left ' || shipped_local as detail,
    costs.amount_txn,
    '{{ var("reporting_currency") }}' as currency_code,
    'hc_u8' as source_system,
    'other_issue' as source_stream,
    cast(local_times.document_id as text) as source_record
from local_times
left join costs on local_times.document_id = costs.document_id
where is_in_utc
union all by name
select
    'shop_clock_was_wrong' as case_kind,
    local_times.order_no as subject,
    'ecommerce' as owner,
    'the order counts on the day the shop says' as safe_default,
    'left '
    || shipped_local
    || ', stock document '
    || local_times.document_no
    || ' of '
    || created_local as detail,
    case
        when date_trunc('month', shipped_local) <> date_trunc('month', created_local)
        then stated_amount_gross_txn
        else 0
    end as amount_txn,
    currency_code,
    'hc_shop' as source_system,
    'order' as source_stream,
    cast(local_times.order_id as text) as source_record
from local_times
where not is_in_utc
