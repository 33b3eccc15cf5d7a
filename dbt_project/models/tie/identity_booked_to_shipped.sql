-- generated from expectations/reconciliation/booked_to_shipped.yaml by `make sync`; do not edit
with

    -- every row of both sides and of every cause, with its amount
    contributions as (
        select
            cast(date_trunc('month', order_date) as date) as month_start_date,
            cast(order_no as text) as document,
            'left' as part,
            cast(order_amount_net_cny as decimal(38, 4)) as amount,
            concat_ws('/', source_system, source_stream, source_record) as evidence
        from {{ ref("fct_sales_order_line") }}
        where is_booked
        union all
        select
            cast(date_trunc('month', ship_date) as date) as month_start_date,
            cast(null as text) as document,
            'right' as part,
            cast(shipped_amount_net_cny as decimal(38, 4)) as amount,
            concat_ws('/', source_system, source_stream, source_record) as evidence
        from {{ ref("fct_delivery_line") }}
        where is_shipped
        union all
        select
            month_start_date,
            cast(order_no as text) as document,
            'timing' as part,
            cast(amount_cny as decimal(38, 4)) as amount,
            concat_ws('/', source_system, source_stream, source_record) as evidence
        from {{ ref("tie_flow_effect") }}
        where flow = 'sales' and stage = 'order_to_move' and effect = 'timing'
        union all
        select
            cast(date_trunc('month', order_date) as date) as month_start_date,
            cast(order_no as text) as document,
            'scope' as part,
            cast(- order_amount_net_cny as decimal(38, 4)) as amount,
            concat_ws('/', source_system, source_stream, source_record) as evidence
        from {{ ref("fct_sales_order_line") }}
        where is_booked and not is_goods
        union all
        select
            month_start_date,
            cast(order_no as text) as document,
            'open' as part,
            cast(amount_cny as decimal(38, 4)) as amount,
            concat_ws('/', source_system, source_stream, source_record) as evidence
        from {{ ref("tie_flow_effect") }}
        where flow = 'sales' and stage = 'order_to_move' and effect = 'open'
        union all
        select
            month_start_date,
            cast(order_no as text) as document,
            'currency' as part,
            cast(amount_cny as decimal(38, 4)) as amount,
            concat_ws('/', source_system, source_stream, source_record) as evidence
        from {{ ref("tie_flow_effect") }}
        where flow = 'sales' and stage = 'order_to_move' and effect = 'currency'
        union all
        select
            month_start_date,
            cast(order_no as text) as document,
            'rounding' as part,
            cast(amount_cny as decimal(38, 4)) as amount,
            concat_ws('/', source_system, source_stream, source_record) as evidence
        from {{ ref("tie_flow_effect") }}
        where flow = 'sales' and stage = 'order_to_move' and effect = 'rounding'
    ),

    -- the document is what people quote; what stays open is looked for per document
    documented as (
        select
            month_start_date,
            document,
            coalesce(sum(amount) filter (where part = 'left'), 0) as left_value,
            coalesce(sum(amount) filter (where part = 'right'), 0) as right_value,
            coalesce(sum(amount) filter (where part = 'timing'), 0) as timing_amount,
            coalesce(sum(amount) filter (where part = 'scope'), 0) as scope_amount,
            coalesce(sum(amount) filter (where part = 'open'), 0) as open_amount,
            coalesce(sum(amount) filter (where part = 'currency'), 0) as currency_amount,
            coalesce(sum(amount) filter (where part = 'rounding'), 0) as rounding_amount,
            count(*) filter (where part = 'left') as left_rows,
            count(*) filter (where part = 'right') as right_rows,
            (list(evidence order by abs(amount) desc, evidence))[1:20] as evidence,
            (list(evidence order by abs(amount) desc, evidence) filter (where part = 'timing'))[
                1:20
            ] as timing_evidence,
            (list(evidence order by abs(amount) desc, evidence) filter (where part = 'scope'))[
                1:20
            ] as scope_evidence,
            (list(evidence order by abs(amount) desc, evidence) filter (where part = 'open'))[
                1:20
            ] as open_evidence,
            (list(evidence order by abs(amount) desc, evidence) filter (where part = 'currency'))[
                1:20
            ] as currency_evidence,
            (list(evidence order by abs(amount) desc, evidence) filter (where part = 'rounding'))[
                1:20
            ] as rounding_evidence
        from contributions
        group by month_start_date, document
    ),

    judged as (
        select
            *,
            right_value
            - left_value
            - (timing_amount + scope_amount + open_amount + currency_amount + rounding_amount) as residual,
            case
                when
                    right_value - (
                        left_value
                        + timing_amount
                        + scope_amount
                        + open_amount
                        + currency_amount
                        + rounding_amount
                    )
                    = 0
                then null
                when
                    left_rows = 0
                    and timing_amount + scope_amount + open_amount + currency_amount + rounding_amount = 0
                then 'missing_left'
                when
                    right_rows = 0
                    and timing_amount + scope_amount + open_amount + currency_amount + rounding_amount = 0
                then 'missing_right'
                when
                    (
                        left_value
                        + timing_amount
                        + scope_amount
                        + open_amount
                        + currency_amount
                        + rounding_amount
                    )
                    <> 0
                    and right_value <> (
                        left_value
                        + timing_amount
                        + scope_amount
                        + open_amount
                        + currency_amount
                        + rounding_amount
                    )
                    and right_value <> 0
                    and (
                        right_value % (
                            left_value
                            + timing_amount
                            + scope_amount
                            + open_amount
                            + currency_amount
                            + rounding_amount
                        )
                        = 0
                        or (
                            left_value
                            + timing_amount
                            + scope_amount
                            + open_amount
                            + currency_amount
                            + rounding_amount
                        )
                        % right_value
                        = 0
                    )
                    and right_value / (
                        left_value
                        + timing_amount
                        + scope_amount
                        + open_amount
                        + currency_amount
                        + rounding_amount
                    )
                    > 0
                then 'duplicate'
                else 'amount'
            end as suspect
        from documented
    ),

    grouped as (
        select
            month_start_date,
            sum(left_value) as left_value,
            sum(right_value) as right_value,
            sum(timing_amount) as timing_amount,
            sum(scope_amount) as scope_amount,
            sum(open_amount) as open_amount,
            sum(currency_amount) as currency_amount,
            sum(rounding_amount) as rounding_amount,
            sum(left_rows) as left_rows,
            sum(right_rows) as right_rows,
            cast(
                to_json(
                    coalesce(
                        flatten(
                            list(timing_evidence order by abs(timing_amount) desc, document) filter (
                                where timing_amount <> 0
                            )
                        )[1:20],
                        []
                    )
                ) as text
            ) as timing_evidence,
            cast(
                to_json(
                    coalesce(
                        (
                            list(document order by abs(timing_amount) desc, document) filter (
                                where timing_amount <> 0 and document is not null
                            )
                        )[1:20],
                        []
                    )
                ) as text
            ) as timing_documents,
            cast(
                to_json(
                    coalesce(
                        flatten(
                            list(scope_evidence order by abs(scope_amount) desc, document) filter (
                                where scope_amount <> 0
                            )
                        )[1:20],
                        []
                    )
                ) as text
            ) as scope_evidence,
            cast(
                to_json(
                    coalesce(
                        (
                            list(document order by abs(scope_amount) desc, document) filter (
                                where scope_amount <> 0 and document is not null
                            )
                        )[1:20],
                        []
                    )
                ) as text
            ) as scope_documents,
            cast(
                to_json(
                    coalesce(
                        flatten(
                            list(open_evidence order by abs(open_amount) desc, document) filter (
                                where open_amount <> 0
                            )
                        )[1:20],
                        []
                    )
                ) as text
            ) as open_evidence,
            cast(
                to_json(
                    coalesce(
                        (
                            list(document order by abs(open_amount) desc, document) filter (
                                where open_amount <> 0 and document is not null
                            )
                        )[1:20],
                        []
                    )
                ) as text
            ) as open_documents,
            cast(
                to_json(
                    coalesce(
                        flatten(
                            list(currency_evidence order by abs(currency_amount) desc, document) filter (
                                where currency_amount <> 0
                            )
                        )[1:20],
                        []
                    )
                ) as text
            ) as currency_evidence,
            cast(
                to_json(
                    coalesce(
                        (
                            list(document order by abs(currency_amount) desc, document) filter (
                                where currency_amount <> 0 and document is not null
                            )
                        )[1:20],
                        []
                    )
                ) as text
            ) as currency_documents,
            cast(
                to_json(
                    coalesce(
                        flatten(
                            list(rounding_evidence order by abs(rounding_amount) desc, document) filter (
                                where rounding_amount <> 0
                            )
                        )[1:20],
                        []
                    )
                ) as text
            ) as rounding_evidence,
            cast(
                to_json(
                    coalesce(
                        (
                            list(document order by abs(rounding_amount) desc, document) filter (
                                where rounding_amount <> 0 and document is not null
                            )
                        )[1:20],
                        []
                    )
                ) as text
            ) as rounding_documents,
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
        group by month_start_date
    ),

    bridged as (
        select
            grouped.month_start_date,
            concat_ws(' | ', coalesce(cast(grouped.month_start_date as text), '-')) as group_key,
            concat_ws(' | ', coalesce(cast(grouped.month_start_date as text), '-')) as group_name,
            left_value,
            right_value,
            right_value - left_value as difference,
            timing_amount,
            scope_amount,
            open_amount,
            currency_amount,
            rounding_amount,
            timing_amount + scope_amount + open_amount + currency_amount + rounding_amount as explained,
            right_value
            - left_value
            - (timing_amount + scope_amount + open_amount + currency_amount + rounding_amount) as unexplained,
            left_rows,
            right_rows,
            timing_evidence,
            timing_documents,
            scope_evidence,
            scope_documents,
            open_evidence,
            open_documents,
            currency_evidence,
            currency_documents,
            rounding_evidence,
            rounding_documents,
            unexplained_evidence,
            unexplained_documents,
            unexplained_suspect
        from grouped

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
