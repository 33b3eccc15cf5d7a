-- Payments that had to be approved beside the requests that name them. A request counts for a payment only if
-- its last step was granted by the day of payment.
with

    payments as (
        select *
        from {{ ref("fct_payment") }}
        where company_code = 'HC' and payment_kind = 'supplier_payment' and is_posted
    ),
    steps as (
        select * from {{ ref("fct_approval_step") }} where company_code = 'HC' and approval_kind = 'payment'
    ),

    paid as (

        select
            ledger_move_no as payment_no,
            min(payment_date) as payment_date,
            - sum(bank_amount_cny) as amount_cny,
            min(source_system) as source_system,
            min(source_stream) as source_stream,
            min(source_record) as source_record
        from payments
        group by ledger_move_no

    ),

    -- the amount stands on every step of a request
    requested as (

        select
            document_no as payment_no,
            bool_and(status_code = 'confirmed') as is_granted,
            max(decision_date) as granted_date,
            max(approval_amount_txn) as amount_cny,
            min(source_system) as source_system,
            min(source_stream) as source_stream,
            min(source_record) as source_record
        from steps
        group by document_no

    )

select
    coalesce(paid.payment_no, requested.payment_no) as payment_no,
    cast(
        date_trunc('month', coalesce(paid.payment_date, requested.granted_date)) as date
    ) as month_start_date,
    case
        when paid.amount_cny > {{ var("payment_approval_above") }} then paid.amount_cny
    end as paid_amount_cny,
    requested.amount_cny as approved_amount_cny,
    coalesce(
        requested.is_granted and (paid.payment_date is null or requested.granted_date <= paid.payment_date),
        false
    ) as is_before_payment,
    'HC' as company_code,
    coalesce(paid.source_system, requested.source_system) as source_system,
    coalesce(paid.source_stream, requested.source_stream) as source_stream,
    coalesce(paid.source_record, requested.source_record) as source_record
from paid
full join requested on paid.payment_no = requested.payment_no
