-- generated from expectations/reconciliation/bank_payments_equal_payable_reductions.yaml by `make sync`; do
-- not edit
with

    -- every row of both sides and of every cause, with its amount
    contributions as (
        select
            supplier_key,
            cast('account.invoice,' || invoice_id as text) as document,
            'left' as part,
            cast(- bank_amount_cny as decimal(38, 4)) as amount,
            concat_ws('/', source_system, source_stream, source_record) as evidence
        from {{ ref("fct_payment") }}
        where payment_kind = 'supplier_payment'
        union all
        select
            supplier_key,
            cast('account.invoice,' || invoice_id as text) as document,
            'right' as part,
            cast(invoice_amount_gross_cny as decimal(38, 4)) as amount,
            concat_ws('/', source_system, source_stream, source_record) as evidence
        from {{ ref("fct_supplier_invoice_line") }}
        where is_posted and not is_open
        union all
        select
            supplier_key,
            cast(ledger_move_no as text) as document,
            'currency' as part,
            cast(balance_amount_cny as decimal(38, 4)) as amount,
            concat_ws('/', source_system, source_stream, source_record) as evidence
        from {{ ref("fct_ledger_entry_line") }}
        where
            invoice_id is null
            and account_key in (select account_key from {{ ref("dim_account") }} where is_payable_control)

        union all
        select
            supplier_key,
            cast('account.invoice,' || invoice_id as text) as document,
            'part_payment' as part,
            cast(bank_amount_cny as decimal(38, 4)) as amount,
            concat_ws('/', source_system, source_stream, source_record) as evidence
        from {{ ref("fct_payment") }}
        where
            payment_kind = 'supplier_payment'
            and invoice_id in (select invoice_id from {{ ref("fct_supplier_invoice_line") }} where is_open)

        union all
        select
            party_key as supplier_key,
            cast('account.invoice,' || invoice_id as text) as document,
            'rounding' as part,
            cast(- difference_cny as decimal(38, 4)) as amount,
            concat_ws('/', source_system, source_stream, source_record) as evidence
        from {{ ref("tie_invoice_posting") }}
        where flow = 'purchase' and amount_kind = 'gross' and not is_open and is_rounding
    ),

    -- the document is what people quote; what stays open is looked for per document
    documented as (
        select
            supplier_key,
            document,
            coalesce(sum(amount) filter (where part = 'left'), 0) as left_value,
            coalesce(sum(amount) filter (where part = 'right'), 0) as right_value,
            coalesce(sum(amount) filter (where part = 'currency'), 0) as currency_amount,
            coalesce(sum(amount) filter (where part = 'part_payment'), 0) as part_payment_amount,
            coalesce(sum(amount) filter (where part = 'rounding'), 0) as rounding_amount,
            count(*) filter (where part = 'left') as left_rows,
            count(*) filter (where part = 'right') as right_rows,
            (list(evidence order by abs(amount) desc, evidence))[1:20] as evidence,
            (list(evidence order by abs(amount) desc, evidence) filter (where part = 'currency'))[
                1:20
            ] as currency_evidence,
            (list(evidence order by abs(amount) desc, evidence) filter (where part = 'part_payment'))[
                1:20
            ] as part_payment_evidence,
            (list(evidence order by abs(amount) desc, evidence) filter (where part = 'rounding'))[
                1:20
            ] as rounding_evidence
        from contributions
        group by supplier_key, document
    ),

    judged as (
        select
            *,
            right_value - left_value - (currency_amount + part_payment_amount + rounding_amount) as residual,
            case
                when right_value - (left_value + currency_amount + part_payment_amount + rounding_amount) = 0
                then null
                when left_rows = 0 and currency_amount + part_payment_amount + rounding_amount = 0
                then 'missing_left'
                when right_rows = 0 and currency_amount + part_payment_amount + rounding_amount = 0
                then 'missing_right'
                when
                    (left_value + currency_amount + part_payment_amount + rounding_amount) <> 0
                    and right_value <> (left_value + currency_amount + part_payment_amount + rounding_amount)
                    and right_value <> 0
                    and (
                        right_value % (left_value + currency_amount + part_payment_amount + rounding_amount)
                        = 0
                        or (left_value + currency_amount + part_payment_amount + rounding_amount)
                        % right_value
                        = 0
                    )
                    and right_value / (left_value + currency_amount + part_payment_amount + rounding_amount)
                    > 0
                then 'duplicate'
                else 'amount'
            end as suspect
        from documented
    ),

    grouped as (
        select
            supplier_key,
            sum(left_value) as left_value,
            sum(right_value) as right_value,
            sum(currency_amount) as currency_amount,
            sum(part_payment_amount) as part_payment_amount,
            sum(rounding_amount) as rounding_amount,
            sum(left_rows) as left_rows,
            sum(right_rows) as right_rows,
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
                            list(
                                part_payment_evidence order by abs(part_payment_amount) desc, document
                            ) filter (where part_payment_amount <> 0)
                        )[1:20],
                        []
                    )
                ) as text
            ) as part_payment_evidence,
            cast(
                to_json(
                    coalesce(
                        (
                            list(document order by abs(part_payment_amount) desc, document) filter (
                                where part_payment_amount <> 0 and document is not null
                            )
                        )[1:20],
                        []
                    )
                ) as text
            ) as part_payment_documents,
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
        group by supplier_key
    ),

    bridged as (
        select
            grouped.supplier_key,
            concat_ws(' | ', coalesce(cast(grouped.supplier_key as text), '-')) as group_key,
            concat_ws(
                ' | ', coalesce(supplier_key_name.named, cast(grouped.supplier_key as text), '-')
            ) as group_name,
            left_value,
            right_value,
            right_value - left_value as difference,
            currency_amount,
            part_payment_amount,
            rounding_amount,
            currency_amount + part_payment_amount + rounding_amount as explained,
            right_value
            - left_value
            - (currency_amount + part_payment_amount + rounding_amount) as unexplained,
            left_rows,
            right_rows,
            currency_evidence,
            currency_documents,
            part_payment_evidence,
            part_payment_documents,
            rounding_evidence,
            rounding_documents,
            unexplained_evidence,
            unexplained_documents,
            unexplained_suspect
        from grouped
        left join
            (
                select supplier_key as named_key, min(supplier_code || ' ' || supplier_name) as named
                from {{ ref("dim_supplier") }}
                group by supplier_key
            ) as supplier_key_name
            on grouped.supplier_key = supplier_key_name.named_key
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
