-- Where documents of one sale contradict each other: the order says something else than the invoice, the
-- delivery
-- or the opportunity that came of it or led to it. One row per order, or per invoice that is wrong in itself.
with

    order_lines as (select * from {{ ref("stg_hc_kingdee__sales_order_lines") }}),
    invoice_lines as (select * from {{ ref("stg_hc_kingdee__receivable_lines") }}),
    deliveries as (select * from {{ ref("stg_hc_u8__deliveries") }} where order_no is not null),
    opportunities as (select * from {{ ref("stg_hc_crm__opportunities") }}),
    cards as (select * from {{ ref("stg_hc_kingdee__customers") }}),
    known as ({{ known_to_all("customer") }}),

    orders as (

        select
            order_no,
            any_value(source_customer) as source_customer,
            any_value(source_document) as source_document,
            any_value(currency_code) as currency_code,
            min(cast(line_id as text)) as source_record,
            sum(order_amount_gross_txn) as amount_txn
        from order_lines
        group by order_no

    ),

    -- what the other documents of the order say: finance by the same codes, the stock books and sales by
    -- their
    -- own
    invoiced as (

        select
            order_no,
            mode(source_customer) as source_customer,
            mode(currency_code) as currency_code,
            min(invoice_no) as invoice_no
        from invoice_lines
        group by order_no

    ),

    delivered as (

        select deliveries.order_no, mode(known.customer_key) as customer_key
        from deliveries
        inner join known on known.source_system = 'hc_u8' and deliveries.source_customer = known.known_as
        group by deliveries.order_no

    ),

    promised as (

        select opportunities.opportunity_no, known.customer_key
        from opportunities
        inner join known on known.source_system = 'hc_crm' and opportunities.source_customer = known.known_as

    ),

    usual as (
        select source_customer, mode(currency_code) as currency_code from orders group by source_customer
    ),

    told as (

        select
            orders.*,
            invoiced.invoice_no,
            invoiced.source_customer as told_customer,
            coalesce(invoiced.currency_code, usual.currency_code) as told_currency_code,
            shown.customer_key as shown_key,
            coalesce(billed.customer_key, delivered.customer_key, promised.customer_key) as told_key
        from orders
        left join invoiced on orders.order_no = invoiced.order_no
        left join delivered on orders.order_no = delivered.order_no
        left join promised on orders.source_document = promised.opportunity_no
        left join usual on orders.source_customer = usual.source_customer
        left join
            known as shown on shown.source_system = 'hc_kingdee' and orders.source_customer = shown.known_as
        left join
            known as billed
            on billed.source_system = 'hc_kingdee'
            and invoiced.source_customer = billed.known_as

    ),

    judged as (

        select
            *,
            coalesce(told_customer <> source_customer, told_key <> shown_key, false) as is_under_another,
            -- whose orders belong together: an order without an invoice knows its customer's key alone
            coalesce(told_key, told_customer) as owner_of_order,
            coalesce(told_customer, told_key) as owner_code
        from told

    ),

    own as (

        select distinct owner_of_order from judged where not is_under_another and owner_of_order is not null

    ),

    -- one order is a slip; several of one customer under one other code are two customers made one, and so is
    -- the only one of a customer that has none of its own left
    joined as (

        select owner_of_order, source_customer
        from judged
        where is_under_another
        group by owner_of_order, source_customer
        having
            count(*) > 1
            or owner_of_order not in (select owner_of_order from own)
            or any_value(told_customer) not in (select source_customer from orders)

    ),

    -- codes that stand for the same customer as another one: orders nobody else has seen yet are that
    -- customer's
    -- too
    twins as (

        select distinct judged.source_customer, judged.told_customer
        from judged
        inner join cards as shown_card on judged.source_customer = shown_card.source_customer
        inner join cards as told_card on judged.told_customer = told_card.source_customer
        where
            judged.is_under_another
            and shown_card.phone = told_card.phone
            and shown_card.address = told_card.address

    ),

    taxed as (

        select order_lines.*, mode(order_lines.tax_rate) over (partition by cards.country_code) as usual_rate
        from order_lines
        left join told on order_lines.order_no = told.order_no
        left join cards on coalesce(told.told_customer, order_lines.source_customer) = cards.source_customer

    )

select
    case
        when twins.source_customer is not null
        then 'customer_under_two_codes'
        when joined.owner_of_order is not null
        then 'customer_under_the_code_of_another'
        else 'order_under_another_customer'
    end as case_kind,
    judged.order_no as subject,
    -- a code that stands for two is wrong once, however many orders came of it
    case
        when twins.source_customer is not null or joined.owner_of_order is not null
        then judged.source_customer
        else judged.order_no
    end as cause_subject,
    'sales' as owner,
    'the order stays with the customer it names' as safe_default,
    'order: '
    || judged.source_customer
    || ', its other documents: '
    || coalesce(judged.owner_code, 'none yet') as detail,
    judged.amount_txn,
    judged.currency_code,
    'hc_kingdee' as source_system,
    'sales_order_line' as source_stream,
    judged.source_record
from judged
left join
    joined
    on judged.owner_of_order = joined.owner_of_order
    and judged.source_customer = joined.source_customer
left join
    twins
    on judged.source_customer = twins.source_customer
    and coalesce(judged.told_customer, twins.told_customer) = twins.told_customer
where judged.is_under_another or (judged.told_customer is null and twins.source_customer is not null)
union all by name
select
    'customer_under_two_codes' as case_kind,
    later.source_customer as subject,
    later.source_customer as cause_subject,
    'sales' as owner,
    'each keeps its orders' as safe_default,
    later.customer_name || ' has phone and address of ' || earlier.source_customer as detail,
    null as amount_txn,
    null as currency_code,
    'hc_kingdee' as source_system,
    'customer' as source_stream,
    cast(later.customer_id as text) as source_record
from cards as later
inner join
    cards as earlier
    on later.phone = earlier.phone
    and later.address = earlier.address
    and later.customer_id > earlier.customer_id
union all by name
select
    'order_in_another_currency' as case_kind,
    order_no as subject,
    'sales' as owner,
    'the amount counts in the currency the order names' as safe_default,
    'order: ' || currency_code || ', its invoice or its customer: ' || told_currency_code as detail,
    amount_txn,
    told_currency_code as currency_code,
    'hc_kingdee' as source_system,
    'sales_order_line' as source_stream,
    source_record
from told
where currency_code <> told_currency_code
union all by name
select
    'order_taxed_at_another_rate' as case_kind,
    order_no as subject,
    'sales' as owner,
    'the tax counts as the order says' as safe_default,
    'order: ' || tax_rate || ', usual for customers of that country: ' || usual_rate as detail,
    abs(round(order_amount_net_txn * usual_rate, 2) - order_amount_tax_txn) as amount_txn,
    currency_code,
    'hc_kingdee' as source_system,
    'sales_order_line' as source_stream,
    cast(line_id as text) as source_record
from taxed
where tax_rate <> usual_rate
