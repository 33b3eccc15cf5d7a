-- Two neighbouring steps of the same goods: the stretch of an order line that both cover, with its share
-- of either amount. Shares are differences of rounded running amounts, so that slices add up to their
-- document line to the cent. What no neighbour covers has no slice here, and stays unexplained in the
-- identities.
with

    intervals as (select * from {{ ref("tie_flow_interval") }}),

    stages as (
        select 'order_to_move' as stage, 'ordered' as first_kind, 'moved' as second_kind
        union all
        select 'move_to_invoice' as stage, 'moved' as first_kind, 'invoiced' as second_kind
    ),

    overlapping as (

        select
            stages.stage,
            firsts.flow,
            firsts.line_key,
            firsts.order_no,
            firsts.company_code,
            greatest(firsts.from_qty, seconds.from_qty) as from_qty,
            least(firsts.to_qty, seconds.to_qty) as to_qty,
            firsts.is_final as first_is_final,
            firsts.event_date as first_date,
            firsts.currency_code as first_currency_code,
            firsts.source_system as first_source_system,
            firsts.source_stream as first_source_stream,
            firsts.source_record as first_source_record,
            seconds.is_final as second_is_final,
            seconds.event_date as second_date,
            seconds.currency_code as second_currency_code,
            seconds.source_system as second_source_system,
            seconds.source_stream as second_source_stream,
            seconds.source_record as second_source_record,
            {% for side in ["firsts", "seconds"] %}
                {% set step = "first" if side == "firsts" else "second" %}
                {% for amount in ["amount_txn", "amount_cny"] %}
                    cast(
                        round(
                            {{ side }}.{{ amount }}
                            * (least(firsts.to_qty, seconds.to_qty) - {{ side }}.from_qty)
                            / {{ side }}.length,
                            2
                        ) as decimal(18, 2)
                    ) - cast(
                        round(
                            {{ side }}.{{ amount }}
                            * (greatest(firsts.from_qty, seconds.from_qty) - {{ side }}.from_qty)
                            / {{ side }}.length,
                            2
                        ) as decimal(18, 2)
                    ) as {{ step }}_{{ amount }}
                    {% if not (loop.last and step == "second") %},{% endif %}
                {% endfor %}
            {% endfor %}
        from stages
        inner join intervals as firsts on stages.first_kind = firsts.kind
        inner join
            intervals as seconds
            on stages.second_kind = seconds.kind
            and firsts.flow = seconds.flow
            and firsts.line_key = seconds.line_key
            and firsts.direction = seconds.direction
            and firsts.from_qty < seconds.to_qty
            and seconds.from_qty < firsts.to_qty

    )

select
    *,
    -- Both steps happened at the same price: each side was rounded once, so a cent is no other price.
    -- Only then is a difference in CNY the work of the exchange rate or of rounding; else it is unexplained.
    first_currency_code = second_currency_code
    and abs(first_amount_txn - second_amount_txn) <= 0.01 as is_same_price,
    first_currency_code <> '{{ var("reporting_currency") }}' as is_foreign_currency
from overlapping
