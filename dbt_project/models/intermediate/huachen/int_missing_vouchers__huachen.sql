{{ config(materialized="view") }}
-- Vouchers are numbered in the order of the documents they are made of: a number that is missing was that of
-- the document after the one before it, or before the one after it. One row per missing number and document
-- it can have been of; whoever reads it knows which documents have no voucher.
with

    vouchers as (

        select
            source_book,
            voucher_word || '-' || strftime(entry_date, '%Y%m') as series,
            voucher_no,
            regexp_extract(
                coalesce(any_value(source_document), ''), '^(.*?)([0-9]{4})$', ['kind', 'place']
            ) as document
        from {{ ref("stg_hc_kingdee__gl_voucher_lines") }}
        group by all

    ),

    neighbours as (

        select
            series,
            voucher_no,
            document,
            lag(voucher_no) over numbering as voucher_before,
            lag(document) over numbering as document_before
        from vouchers
        window numbering as (partition by source_book, series order by voucher_no)
        qualify voucher_no > voucher_before + 1

    ),

    told as (

        select
            series,
            voucher_before + 1 as voucher_no,
            document_before.kind as kind,
            try_cast(document_before.place as integer) + 1 as place
        from neighbours
        union
        select series, voucher_no - 1, document.kind, try_cast(document.place as integer) - 1
        from neighbours

    )

select
    series || '-' || lpad(cast(voucher_no as text), 4, '0') as ledger_move_no,
    kind || lpad(cast(place as text), 4, '0') as source_document
from told
where place > 0
qualify count(*) over (partition by kind, place) = 1
