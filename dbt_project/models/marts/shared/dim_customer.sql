-- The key comes from the customer code alone, which every system shares; names and addresses may change.
-- Customers keyed in twice stay apart and are only pointed out.
with

    customers as (select * from {{ ref("int_customers__described") }}),
    duplicates as (select * from {{ ref("int_customers__suspected_duplicates") }})

select
    {{ key(["'customer'", "customers.customer_code"]) }} as customer_key,
    customers.customer_code,
    customers.customer_name,
    customers.credit_code,
    customers.city,
    customers.street,
    customers.phone,
    customers.is_active,
    duplicates.suspected_duplicate_of,
    duplicates.suspected_duplicate_of is not null as is_suspected_duplicate,
    {{ provenance("hx_sales", "party_party", "customers.customer_id") }}
from customers
left join duplicates on customers.customer_code = duplicates.customer_code
union all by name
-- facts naming a customer no system knows point at the first, where everyone can see them; facts that
-- have no customer at all (a payment to a supplier) at the second
select
    'unmatched' as customer_key,
    'unmatched' as customer_code,
    '未匹配' as customer_name,
    false as is_active,
    false as is_suspected_duplicate,
    {{ provenance("tieout", "special_member", "'unmatched'") }}
union all by name
select
    'not_applicable' as customer_key,
    'not_applicable' as customer_code,
    '不适用' as customer_name,
    false as is_active,
    false as is_suspected_duplicate,
    {{ provenance("tieout", "special_member", "'not_applicable'") }}
