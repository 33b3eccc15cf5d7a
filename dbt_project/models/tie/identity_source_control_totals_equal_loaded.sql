-- generated from expectations/reconciliation/source_control_totals_equal_loaded.yaml by `make sync`; do not
-- edit
with

    -- every row of both sides and of every cause, with its amount
    contributions as (
        select
            source,
            stream,
            origin,
            measure,
            cast(document as text) as document,
            'left' as part,
            cast(amount as decimal(38, 4)) as amount,
            concat_ws('/', source_system, source_stream, source_record) as evidence
        from
            (
                select
                    source,
                    stream,
                    origin,
                    measure,
                    source_says as amount,
                    batch_id as document,
                    source as source_system,
                    stream as source_stream,
                    batch_id as source_record
                from ops.control_total
                qualify batch_id = max(batch_id) over (partition by source, stream, origin)
            ) as part_rows
        union all
        select
            source,
            stream,
            origin,
            measure,
            cast(document as text) as document,
            'right' as part,
            cast(amount as decimal(38, 4)) as amount,
            concat_ws('/', source_system, source_stream, source_record) as evidence
        from
            (
                select
                    source,
                    stream,
                    origin,
                    measure,
                    coalesce(loaded, '0') as amount,
                    batch_id as document,
                    source as source_system,
                    stream as source_stream,
                    batch_id as source_record
                from ops.control_total
                qualify batch_id = max(batch_id) over (partition by source, stream, origin)
            ) as part_rows
        union all
        select
            source,
            stream,
            origin,
            measure,
            cast(document as text) as document,
            'quarantined' as part,
            cast(amount as decimal(38, 4)) as amount,
            concat_ws('/', source_system, source_stream, source_record) as evidence
        from
            (
                select
                    source,
                    stream,
                    origin,
                    measure,
                    - cast(quarantined as decimal(38, 4)) as amount,
                    batch_id as document,
                    source as source_system,
                    stream as source_stream,
                    batch_id as source_record
                from ops.control_total
                where quarantined is not null
                qualify batch_id = max(batch_id) over (partition by source, stream, origin)
            ) as part_rows
    ),

    -- the document is what people quote; what stays open is looked for per document
    documented as (
        select
            source,
            stream,
            origin,
            measure,
            document,
            coalesce(sum(amount) filter (where part = 'left'), 0) as left_value,
            coalesce(sum(amount) filter (where part = 'right'), 0) as right_value,
            coalesce(sum(amount) filter (where part = 'quarantined'), 0) as quarantined_amount,
            count(*) filter (where part = 'left') as left_rows,
            count(*) filter (where part = 'right') as right_rows,
            (list(evidence order by abs(amount) desc, evidence))[1:20] as evidence,
            (list(evidence order by abs(amount) desc, evidence) filter (where part = 'quarantined'))[
                1:20
            ] as quarantined_evidence
        from contributions
        group by source, stream, origin, measure, document
    ),

    judged as (
        select
            *,
            right_value - left_value - (quarantined_amount) as residual,
            case
                when right_value - (left_value + quarantined_amount) = 0
                then null
                when left_rows = 0 and quarantined_amount = 0
                then 'missing_left'
                when right_rows = 0 and quarantined_amount = 0
                then 'missing_right'
                when
                    (left_value + quarantined_amount) <> 0
                    and right_value <> (left_value + quarantined_amount)
                    and right_value <> 0
                    and (
                        right_value % (left_value + quarantined_amount) = 0
                        or (left_value + quarantined_amount) % right_value = 0
                    )
                    and right_value / (left_value + quarantined_amount) > 0
                then 'duplicate'
                else 'amount'
            end as suspect
        from documented
    ),

    grouped as (
        select
            source,
            stream,
            origin,
            measure,
            sum(left_value) as left_value,
            sum(right_value) as right_value,
            sum(quarantined_amount) as quarantined_amount,
            sum(left_rows) as left_rows,
            sum(right_rows) as right_rows,
            cast(
                to_json(
                    coalesce(
                        flatten(
                            list(
                                quarantined_evidence order by abs(quarantined_amount) desc, document
                            ) filter (where quarantined_amount <> 0)
                        )[1:20],
                        []
                    )
                ) as text
            ) as quarantined_evidence,
            cast(
                to_json(
                    coalesce(
                        (
                            list(document order by abs(quarantined_amount) desc, document) filter (
                                where quarantined_amount <> 0 and document is not null
                            )
                        )[1:20],
                        []
                    )
                ) as text
            ) as quarantined_documents,
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
        group by source, stream, origin, measure
    ),

    bridged as (
        select
            grouped.source,
            grouped.stream,
            grouped.origin,
            grouped.measure,
            concat_ws(
                ' | ',
                coalesce(cast(grouped.source as text), '-'),
                coalesce(cast(grouped.stream as text), '-'),
                coalesce(cast(grouped.origin as text), '-'),
                coalesce(cast(grouped.measure as text), '-')
            ) as group_key,
            concat_ws(
                ' | ',
                coalesce(cast(grouped.source as text), '-'),
                coalesce(cast(grouped.stream as text), '-'),
                coalesce(cast(grouped.origin as text), '-'),
                coalesce(cast(grouped.measure as text), '-')
            ) as group_name,
            left_value,
            right_value,
            right_value - left_value as difference,
            quarantined_amount,
            quarantined_amount as explained,
            right_value - left_value - (quarantined_amount) as unexplained,
            left_rows,
            right_rows,
            quarantined_evidence,
            quarantined_documents,
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
