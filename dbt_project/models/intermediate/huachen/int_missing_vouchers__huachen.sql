{{ config(materialized="view") }}
-- Vouchers are numbered in the order of the documents they are made of: where one number is missing between
-- the
-- vouchers of two documents that are themselves one number apart, the voucher was that document's.
with

    vouchers as (

        select
            source_book,
            voucher_word || '-' || strftime(entry_date, '%Y%m') as series,
            voucher_no,
            any_value(source_document) as source_document
        from {{ ref("stg_hc_kingdee__gl_voucher_lines") }}
        group by all

    ),

    neighbours as (

        select
            series,
            voucher_no,
            lag(voucher_no) over numbering as voucher_before,
            regexp_extract(source_document, '^(.*?)(\d{4})$', ['kind', 'place']) as here,
            regexp_extract(lag(source_document) over numbering, '^(.*?)(\d{4})$', ['kind', 'place']) as before
        from vouchers
        window numbering as (partition by source_book, series order by voucher_no)

    )

select
    series || '-' || lpad(cast(voucher_no - 1 as text), 4, '0') as ledger_move_no,
    here.kind || lpad(cast(cast(here.place as integer) - 1 as text), 4, '0') as source_document
from neighbours
where
    voucher_no = voucher_before + 2
    and here.kind = before.kind
    and try_cast(here.place as integer) = try_cast(before.place as integer) + 2
