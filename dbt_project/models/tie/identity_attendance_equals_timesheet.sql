-- generated from expectations/reconciliation/attendance_equals_timesheet.yaml by `make sync`; do not edit
with

    -- every row of both sides and of every cause, with its amount
    contributions as (
        select
            month_start_date,
            cast(work_date as text) as document,
            'left' as part,
            cast(present_hours as decimal(38, 4)) as amount,
            concat_ws('/', source_system, source_stream, source_record) as evidence
        from {{ ref("tie_attendance_day") }}
        where present_hours is not null
        union all
        select
            cast(date_trunc('month', work_date) as date) as month_start_date,
            cast(work_date as text) as document,
            'right' as part,
            cast(worked_hours as decimal(38, 4)) as amount,
            concat_ws('/', source_system, source_stream, source_record) as evidence
        from {{ ref("fct_timesheet_line") }}
        union all
        select
            month_start_date,
            cast(work_date as text) as document,
            'not_clocked' as part,
            cast(worked_hours as decimal(38, 4)) as amount,
            concat_ws('/', source_system, source_stream, source_record) as evidence
        from {{ ref("tie_attendance_day") }}
        where present_hours is null
    ),

    -- the document is what people quote; what stays open is looked for per document
    documented as (
        select
            month_start_date,
            document,
            coalesce(sum(amount) filter (where part = 'left'), 0) as left_value,
            coalesce(sum(amount) filter (where part = 'right'), 0) as right_value,
            coalesce(sum(amount) filter (where part = 'not_clocked'), 0) as not_clocked_amount,
            count(*) filter (where part = 'left') as left_rows,
            count(*) filter (where part = 'right') as right_rows,
            (list(evidence order by abs(amount) desc, evidence))[1:20] as evidence,
            (list(evidence order by abs(amount) desc, evidence) filter (where part = 'not_clocked'))[
                1:20
            ] as not_clocked_evidence
        from contributions
        group by month_start_date, document
    ),

    judged as (
        select
            *,
            right_value - left_value - (not_clocked_amount) as residual,
            case
                when right_value - (left_value + not_clocked_amount) = 0
                then null
                when left_rows = 0 and not_clocked_amount = 0
                then 'missing_left'
                when right_rows = 0 and not_clocked_amount = 0
                then 'missing_right'
                when
                    (left_value + not_clocked_amount) <> 0
                    and right_value <> (left_value + not_clocked_amount)
                    and right_value <> 0
                    and (
                        right_value % (left_value + not_clocked_amount) = 0
                        or (left_value + not_clocked_amount) % right_value = 0
                    )
                    and right_value / (left_value + not_clocked_amount) > 0
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
            sum(not_clocked_amount) as not_clocked_amount,
            sum(left_rows) as left_rows,
            sum(right_rows) as right_rows,
            cast(
                to_json(
                    coalesce(
                        flatten(
                            list(
                                not_clocked_evidence order by abs(not_clocked_amount) desc, document
                            ) filter (where not_clocked_amount <> 0)
                        )[1:20],
                        []
                    )
                ) as text
            ) as not_clocked_evidence,
            cast(
                to_json(
                    coalesce(
                        (
                            list(document order by abs(not_clocked_amount) desc, document) filter (
                                where not_clocked_amount <> 0 and document is not null
                            )
                        )[1:20],
                        []
                    )
                ) as text
            ) as not_clocked_documents,
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
            not_clocked_amount,
            not_clocked_amount as explained,
            right_value - left_value - (not_clocked_amount) as unexplained,
            left_rows,
            right_rows,
            not_clocked_evidence,
            not_clocked_documents,
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
