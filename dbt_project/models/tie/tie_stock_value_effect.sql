-- Why stock at average cost and the ledger's stock accounts of 华信 differ, per product. Currency: the stock
-- system turns the price of a foreign receipt into CNY at the last rate it knows when the receipt is
-- keyed in; the ledger uses the rate of the receipt's day. The gap stays in the accounts: every later
-- issue leaves both at the same average cost. Rounding: ledger lines are whole cents, an average cost has
-- four decimals. What is left counts as rounding only as far as that can reach (half a cent a ledger
-- line, half of 0.0001 a receipt times the most ever on hand).
with

    moves as (select * from {{ ref("fct_stock_move") }} where is_done and company_code = 'HX'),
    ledger_lines as (
        select * from {{ ref("fct_ledger_entry_line") }} where is_stock_balance and company_code = 'HX'
    ),
    balances as (select * from {{ ref("fct_stock_balance_day") }} where company_code = 'HX'),
    products as (select * from {{ ref("dim_product") }}),
    rates as (select * from {{ ref("int_exchange_rates") }}),

    last_rates as (select currency_code, arg_max(rate, rate_date) as rate from rates group by currency_code),

    postings as (

        select stock_move_id, sum(balance_amount_cny) as posted_amount_cny, count(*) as line_count
        from ledger_lines
        where stock_move_id is not null
        group by stock_move_id

    ),

    foreign_receipts as (

        select
            moves.product_key,
            'currency' as effect,
            cast(
                postings.posted_amount_cny
                - round(moves.move_qty * moves.unit_price_txn / last_rates.rate, 2) as decimal(18, 2)
            ) as amount_cny,
            moves.stock_move_id,
            moves.source_system,
            moves.source_stream,
            moves.source_record
        from moves
        inner join postings on moves.stock_move_id = postings.stock_move_id
        inner join last_rates on moves.currency_code = last_rates.currency_code
        where
            moves.from_location_type = 'supplier'
            and moves.to_location_type = 'storage'
            and moves.currency_code <> '{{ var("reporting_currency") }}'

    ),

    most_on_hand as (

        select product_key, max(total_qty) as qty
        from
            (
                select product_key, balance_date, sum(closing_qty + out_qty) as total_qty
                from balances
                group by product_key, balance_date
            )
        group by product_key

    ),

    on_hand as (

        select balances.product_key, sum(balances.closing_qty * products.average_cost_cny) as amount_cny
        from balances
        left join products on balances.product_key = products.product_key
        where balances.balance_date = (select max(balance_date) from balances)
        group by balances.product_key

    ),

    posted as (

        select
            moves.product_key,
            sum(postings.posted_amount_cny) as amount_cny,
            sum(postings.line_count) as line_count,
            count(*) filter (
                where moves.to_location_type = 'storage' and moves.from_location_type <> 'storage'
            ) as receipt_count,
            any_value(moves.source_system) as source_system,
            any_value(moves.source_stream) as source_stream,
            max(moves.stock_move_id) filter (
                where moves.to_location_type = 'storage' and moves.from_location_type <> 'storage'
            ) as last_receipt_id
        from moves
        inner join postings on moves.stock_move_id = postings.stock_move_id
        group by moves.product_key

    ),

    remainders as (

        select
            posted.product_key,
            'rounding' as effect,
            cast(
                posted.amount_cny
                - round(on_hand.amount_cny, 4)
                - coalesce(
                    (
                        select sum(f.amount_cny)
                        from foreign_receipts as f
                        where f.product_key = posted.product_key
                    ),
                    0
                ) as decimal(18, 4)
            ) as amount_cny,
            0.005 * posted.line_count + 0.00005 * posted.receipt_count * most_on_hand.qty as reach_cny,
            posted.last_receipt_id as stock_move_id,
            posted.source_system,
            posted.source_stream,
            cast(posted.last_receipt_id as text) as source_record
        from posted
        inner join on_hand on posted.product_key = on_hand.product_key
        inner join most_on_hand on posted.product_key = most_on_hand.product_key

    )

select
    product_key,
    effect,
    amount_cny,
    stock_move_id,
    'HX' as company_code,
    source_system,
    source_stream,
    source_record
from foreign_receipts
union all
select
    product_key,
    effect,
    amount_cny,
    stock_move_id,
    'HX' as company_code,
    source_system,
    source_stream,
    source_record
from remainders
where abs(amount_cny) <= reach_cny
