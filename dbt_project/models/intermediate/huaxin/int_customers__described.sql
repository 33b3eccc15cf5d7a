{{ config(materialized="view") }}
-- A view, as everything that records are made of: their history is the same view over raw tables as of then.
-- One row per customer code; of several addresses, identifiers or phones the first one entered counts.
with

    customers as (select * from {{ ref("stg_hx_sales__customers") }}),
    addresses as (select * from {{ ref("stg_hx_sales__customer_addresses") }}),
    identifiers as (select * from {{ ref("stg_hx_sales__customer_identifiers") }}),
    contacts as (select * from {{ ref("stg_hx_sales__customer_contacts") }}),

    first_addresses as (

        select customer_id, arg_min(city, address_id) as city, arg_min(street, address_id) as street
        from addresses
        group by customer_id

    ),

    credit_codes as (

        select customer_id, arg_min(identifier_code, identifier_id) as credit_code
        from identifiers
        where identifier_type = 'cn_vat'
        group by customer_id

    ),

    phones as (

        select customer_id, arg_min(contact_value, contact_id) as phone
        from contacts
        where contact_type = 'phone'
        group by customer_id

    )

select
    customers.customer_id,
    customers.customer_code,
    customers.customer_name,
    credit_codes.credit_code,
    first_addresses.city,
    first_addresses.street,
    phones.phone,
    customers.is_active
from customers
left join first_addresses on customers.customer_id = first_addresses.customer_id
left join credit_codes on customers.customer_id = credit_codes.customer_id
left join phones on customers.customer_id = phones.customer_id
