{#
    What was invoiced and settled of every order line. Money is paid on invoices, not on lines: a line has the share
    of each of its invoices that is settled; that is null where a system does not say whether its invoices are open.
    `sign` turns payments out into positive amounts.
#}
{% macro settled_by_line(invoice_lines, line_key, payment_kind, sign="") -%}
    select
        {{ line_key }},
        true as is_invoiced,
        sum(invoice_qty) as invoiced_qty,
        sum(invoice_amount_net_txn) as invoiced_amount_net_txn,
        sum(invoice_amount_gross_txn) as invoiced_amount_gross_txn,
        case
            when bool_and(is_open is not null)
            then
                cast(
                    sum(
                        round(
                            invoice_amount_gross_txn
                            * least(coalesce(settled_amount_txn, 0) / nullif(document_amount_txn, 0), 1),
                            2
                        )
                    ) as decimal(18, 2)
                )
        end as settled_amount_txn,
        max(invoice_date) as last_invoice_date
    from
        (
            select
                lines.*,
                payments.settled_amount_txn,
                sum(lines.invoice_amount_gross_txn) over (
                    partition by lines.company_code, lines.invoice_id
                ) as document_amount_txn
            from {{ ref(invoice_lines) }} as lines
            left join
                (
                    select company_code, invoice_id, {{ sign }} sum(bank_amount_txn) as settled_amount_txn
                    from {{ ref("fct_payment") }}
                    where payment_kind = '{{ payment_kind }}' and invoice_id is not null
                    group by company_code, invoice_id
                ) as payments
                on lines.company_code = payments.company_code
                and lines.invoice_id = payments.invoice_id
            where lines.is_posted
        )
    group by {{ line_key }}
{%- endmacro %}

{# An invoiced quantity in the base unit of its order line: an invoice counts in the unit of its order. #}
{% macro in_unit_of_order(invoiced_qty, order_line) -%}
    cast(
        coalesce(
            round(
                {{ invoiced_qty }} * {{ order_line }}.order_qty_base / nullif({{ order_line }}.order_qty, 0),
                4
            ),
            0
        ) as decimal(18, 4)
    )
{%- endmacro %}
