-- One row per unit that a system prints with a product (and per day from which a ruling holds): how much of
-- the
-- product's base unit it is. What a steward ruled counts first, then the item's own card, then the list of
-- units.
-- Where none says it the factor is null and `problem` says why: nothing is ever taken as one.
with

    printed as (select * from {{ ref("int_product_units__printed") }}),
    u8_items as (select * from {{ ref("stg_hc_u8__inventories") }}),
    products as (select * from {{ ref("dim_product") }}),
    uoms as (select * from {{ ref("uoms") }}),
    code_map as (select * from {{ ref("code_map") }}),
    rulings as (select * from {{ ref("product_unit_conversions") }}),
    crosswalk as (select * from {{ ref("crosswalk") }} where entity = 'product'),

    -- what a system means by a text, where that is not what all others mean; the last word on it holds
    own_texts as (

        select source_system, source_code as source_uom, standard_code as uom_code
        from code_map
        where code_list = 'uom'
        qualify
            row_number() over (partition by source_system, source_code order by valid_from desc nulls last)
            = 1

    ),

    units as (select distinct uom_code, base_uom_code, factor from uoms),

    known as (

        select
            printed.*,
            coalesce(crosswalk.master_key, 'unmatched') as product_key,
            coalesce(own_texts.uom_code, uoms.uom_code, 'unmatched') as uom_code,
            coalesce(products.base_uom_code, 'unmatched') as base_uom_code
        from printed
        left join
            crosswalk
            on printed.source_system = crosswalk.source_system
            and printed.source_product = crosswalk.source_key
        left join products on crosswalk.master_key = products.product_key
        left join
            own_texts
            on printed.source_system = own_texts.source_system
            and printed.source_uom = own_texts.source_uom
        left join uoms on printed.source_uom = uoms.uom_text

    ),

    -- the card counts in the item's main unit, which need not be the product's base unit
    cards as (

        select
            u8_items.source_product,
            u8_items.source_pack_uom as source_uom,
            u8_items.units_per_pack * main_units.factor as reference_factor,
            main_units.base_uom_code as reference_uom_code
        from u8_items
        left join uoms as main_units on u8_items.source_uom = main_units.uom_text
        where u8_items.units_per_pack > 0

    ),

    measured as (

        select
            known.*,
            rulings.factor as ruled_factor,
            rulings.valid_from,
            rulings.valid_to,
            case
                when cards.reference_uom_code = base_units.base_uom_code
                then cards.reference_factor / base_units.factor
            end as card_factor,
            case
                when own_units.base_uom_code = base_units.base_uom_code
                then own_units.factor / base_units.factor
            end as listed_factor
        from known
        left join
            rulings
            on known.source_system = rulings.source_system
            and known.source_uom = rulings.source_uom
            and known.base_uom_code = rulings.to_uom_code
            and known.source_product = coalesce(rulings.source_product, known.source_product)
        left join
            cards
            on known.source_system = 'hc_u8'
            and known.source_product = cards.source_product
            and known.source_uom = cards.source_uom
        left join units as own_units on known.uom_code = own_units.uom_code
        left join units as base_units on known.base_uom_code = base_units.uom_code
        -- rulings for one product count before those for all of a system
        qualify
            rank() over (
                partition by known.source_system, known.source_product, known.source_uom
                order by rulings.source_product is null
            )
            = 1

    )

select
    {{ key(["source_system", "source_product", "source_uom", "coalesce(valid_from, date '0001-01-01')"]) }}
    as conversion_key,
    source_system,
    source_product,
    product_key,
    source_uom,
    uom_code,
    base_uom_code,
    cast(coalesce(ruled_factor, card_factor, listed_factor) as decimal(24, 12)) as factor,
    case
        when ruled_factor is not null
        then 'ruling'
        when card_factor is not null
        then 'item_card'
        when listed_factor is not null
        then 'unit_list'
    end as factor_source,
    valid_from,
    valid_to,
    line_count,
    case
        when product_key = 'unmatched'
        then 'product_unknown'
        when uom_code = 'unmatched' and ruled_factor is null
        then 'unit_unknown'
        when base_uom_code = 'unmatched'
        then 'no_base_unit'
        when coalesce(ruled_factor, card_factor, listed_factor) is null
        then 'no_conversion'
        -- a pack of 吨 that holds 100 kg: one of the two is wrong
        when ruled_factor is null and abs(card_factor - listed_factor) > 0.000001 * listed_factor
        then 'card_contradicts_list'
    end as problem
from measured
