-- Where the shop and what others know of its parcels contradict each other: the stock documents of what
-- left and came
-- back, the voucher of each day, the platform's settlements. The stock documents carry the moment, not the
-- number.
with

    issues as (select * from {{ ref("stg_hc_u8__other_issues") }} where source_business_type = '电商出库'),
    issue_lines as (select * from {{ ref("stg_hc_u8__other_issue_lines") }}),
    shop_orders as (select * from {{ ref("stg_hc_shop__orders") }} where shipped_at is not null),

    returns as (select * from {{ ref("stg_hc_u8__other_receipts") }} where source_business_type = '电商退货'),
    refunds as (select * from {{ ref("stg_hc_shop__refunds") }}),
    settlements as (select * from {{ ref("stg_hc_shop__settlements") }}),
    voucher_lines as (select * from {{ ref("stg_hc_kingdee__gl_voucher_lines") }}),

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

    ),

    return_lines as (
        select document_id, min(cast(line_id as text)) as source_record
        from {{ ref("stg_hc_u8__other_receipt_lines") }}
        group by document_id
    ),

    -- what came back without anybody being paid for it
    lonely_returns as (

        select *, cast(timezone('{{ var("company_timezone") }}', created_at) as date) as return_date
        from returns
        where created_at not in (select changed_at from refunds)

    ),

    -- the day of a parcel is the stock books' where the shop's clock is wrong
    day_amounts as (

        select
            cast(
                timezone(
                    '{{ var("company_timezone") }}', coalesce(local_times.created_at, shop_orders.shipped_at)
                ) as date
            ) as on_date,
            shop_orders.stated_amount_gross_txn as amount
        from shop_orders
        left join local_times on shop_orders.order_id = local_times.order_id and not local_times.is_in_utc
        union all
        select cast(timezone('{{ var("company_timezone") }}', changed_at) as date), - refund_amount_gross_txn
        from refunds

    ),

    days as (
        select 'DS' || strftime(on_date, '%Y%m%d') as voucher, on_date, sum(amount) as amount
        from day_amounts
        group by on_date
    ),

    vouchers as (

        select
            source_document as voucher,
            sum(debit_amount_cny) as amount,
            min(cast(ledger_line_id as text)) as source_record
        from voucher_lines
        where source_document like 'DS2%' and line_description = '电商销售' and debit_amount_cny <> 0
        group by source_document

    ),

    day_differences as (

        select
            days.voucher,
            days.amount as shop_amount,
            vouchers.amount as voucher_amount,
            days.amount - vouchers.amount as less,
            vouchers.source_record
        from days
        inner join vouchers on days.voucher = vouchers.voucher
        where days.amount <> vouchers.amount and days.on_date not in (select return_date from lonely_returns)

    ),

    deducted as (

        select
            settlements.settlement_no,
            settlements.shop_id,
            settlements.first_date,
            settlements.last_date,
            settlements.refund_amount_gross_txn - coalesce(sum(refunds.refund_amount_gross_txn), 0) as more
        from settlements
        left join
            refunds
            on settlements.shop_id = refunds.shop_id
            and cast(timezone('{{ var("company_timezone") }}', refunds.changed_at) as date)
            between settlements.first_date and settlements.last_date
        group by
            settlements.settlement_no,
            settlements.shop_id,
            settlements.first_date,
            settlements.last_date,
            settlements.refund_amount_gross_txn

    )

select
    'stock_document_timed_in_utc' as case_kind,
    local_times.document_no as subject,
    'hc_u8' as cause_subject,  -- a system has one clock
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
    'hc_shop' as cause_subject,
    'ecommerce' as owner,
    'the order counts on the day the shop says' as safe_default,
    'left '
    || shipped_local
    || ', stock document '
    || local_times.document_no
    || ' of '
    || created_local
    || case
        when cast(shipped_local as date) <> cast(created_local as date)
        then
            '; in voucher DS'
            || strftime(created_local, '%Y%m%d')
            || ', not DS'
            || strftime(shipped_local, '%Y%m%d')
        else ''
    end as detail,
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
union all by name
select
    'shop_order_not_in_voucher' as case_kind,
    voucher as subject,
    'finance' as owner,
    'revenue counts as the voucher says' as safe_default,
    'parcels less refunds of the day ' || shop_amount || ', voucher ' || voucher_amount as detail,
    abs(less) as amount_txn,
    '{{ var("reporting_currency") }}' as currency_code,
    'hc_kingdee' as source_system,
    'gl_voucher_line' as source_stream,
    source_record
from day_differences
union all by name
select
    'refund_lost' as case_kind,
    lonely_returns.document_no as subject,
    'ecommerce' as owner,
    'the refund is missing from the shop, the goods are in stock' as safe_default,
    'came back on '
    || lonely_returns.return_date
    || ' (voucher DS'
    || strftime(lonely_returns.return_date, '%Y%m%d')
    || '), settlement '
    || deducted.settlement_no
    || ' deducts '
    || deducted.more
    || ' more than the shop knows' as detail,
    deducted.more as amount_txn,
    '{{ var("reporting_currency") }}' as currency_code,
    'hc_u8' as source_system,
    'other_receipt_line' as source_stream,
    return_lines.source_record
from lonely_returns
left join return_lines on lonely_returns.document_id = return_lines.document_id
left join
    deducted
    on lonely_returns.return_date between deducted.first_date and deducted.last_date
    and deducted.more <> 0
