-- generated from expectations/reconciliation/ordered_quantity_is_shipped_or_open.yaml by `make sync`; do
-- not edit
with

    -- every row of both sides and of every cause, with its amount
    contributions as (
        select
            sales_order_line_key,
            cast(order_no as text) as document,
            'left' as part,
            cast(order_qty_base as decimal(38, 4)) as amount,
            concat_ws('/', source_system, source_stream, source_record) as evidence
        from {{ ref("fct_sales_order_line") }}
        where is_booked and is_goods
        union all
        select
            sales_order_line_key,
            cast(null as text) as document,
            'right' as part,
            cast(ship_qty_base + open_qty_base as decimal(38, 4)) as amount,
            concat_ws('/', source_system, source_stream, source_record) as evidence
        from {{ ref("fct_delivery_line") }}
        where is_shipped or is_open
    ),

    -- the document is what people quote; what stays open is looked for per document
    documented as (
        select
            sales_order_line_key,
            document,
            coalesce(sum(amount) filter (where part = 'left'), 0) as left_value,
            coalesce(sum(amount) filter (where part = 'right'), 0) as right_value,
            count(*) filter (where part = 'left') as left_rows,
            count(*) filter (where part = 'right') as right_rows,
            (list(evidence order by abs(amount) desc, evidence))[1:20] as evidence
        from contributions
        group by sales_order_line_key, document
    ),

    judged as (
        select
            *,
            right_value - left_value - (cast(0 as decimal(38, 4))) as residual,
            case
                when right_value - (left_value + cast(0 as decimal(38, 4))) = 0
                then null
                when left_rows = 0 and cast(0 as decimal(38, 4)) = 0
                then 'missing_left'
                when right_rows = 0 and cast(0 as decimal(38, 4)) = 0
                then 'missing_right'
                when
                    (left_value + cast(0 as decimal(38, 4))) <> 0
                    and right_value <> (left_value + cast(0 as decimal(38, 4)))
                    and right_value <> 0
                    and (
                        right_value % (left_value + cast(0 as decimal(38, 4))) = 0
                        or (left_value + cast(0 as decimal(38, 4))) % right_value = 0
                    )
                    and right_value / (left_value + cast(0 as decimal(38, 4))) > 0
                then 'duplicate'
                else 'amount'
            end as suspect
        from documented
    ),

    grouped as (
        select
            sales_order_line_key,
            sum(left_value) as left_value,
            sum(right_value) as right_value,
            sum(left_rows) as left_rows,
            sum(right_rows) as right_rows,
            cast(
                to_json(
                    coalesce(
                        flatten(
                            list(evidence order by abs(residual) desc, document) filter (where residual <> 0)
                        )[1:20],
                        []
                    )
                ) as text
            ) as unexplained_evidence,
            cast(
                to_json(
                    coalesce(
                        (
                            list(document order by abs(residual) desc, document) filter (
                                where residual <> 0 and document is not null
                            )
                        )[1:20],
                        []
                    )
                ) as text
            ) as unexplained_documents,
            arg_max(suspect, abs(residual)) filter (where residual <> 0) as unexplained_suspect
        from judged
        group by sales_order_line_key
    ),

    bridged as (
        select
            grouped.sales_order_line_key,
            concat_ws(' | ', coalesce(cast(grouped.sales_order_line_key as text), '-')) as group_key,
            concat_ws(
                ' | ',
                coalesce(sales_order_line_key_name.named, cast(grouped.sales_order_line_key as text), '-')
            ) as group_name,
            left_value,
            right_value,
            right_value - left_value as difference,

            cast(0 as decimal(38, 4)) as explained,
            right_value - left_value - (cast(0 as decimal(38, 4))) as unexplained,
            left_rows,
            right_rows,

            unexplained_evidence,
            unexplained_documents,
            unexplained_suspect
        from grouped
        left join
            (
                select sales_order_line_key as named_key, min(order_no || ' #' || line_id) as named
                from {{ ref("fct_sales_order_line") }}
                group by sales_order_line_key
            ) as sales_order_line_key_name
            on grouped.sales_order_line_key = sales_order_line_key_name.named_key
    )

-- a cause that offsets an unknown difference does not make it hold: unexplained is asked first
select
    *,
    case
        when abs(unexplained) > cast(0 as decimal(38, 4))
        then 'broken'
        when abs(difference) > cast(0 as decimal(38, 4))
        then 'explained'
        else 'holds'
    end as status
from bridged
