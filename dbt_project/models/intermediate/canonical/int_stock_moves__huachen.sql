-- Every line of every stock document of U8 as a move from one place to another. A transfer is two documents,
-- out of one warehouse and into another: between them the goods are on the way (TRANSIT).
with

    items as (select * from {{ ref("int_items__huachen") }}),
    warehouses as (select * from {{ ref("dim_warehouse") }}),

    {% set documents = [
        ("goods_receipt", "receipt_no", "receipt_date", "receipt_qty", "order_no"),
        ("product_receipt", "output_no", "output_date", "produced_qty", "work_order_no"),
        ("other_receipt", "document_no", "document_date", "move_qty", "source_document"),
        ("delivery", "shipment_no", "ship_date", "ship_qty", "order_no"),
        ("material_issue", "issue_no", "issue_date", "issued_qty", "work_order_no"),
        ("other_issue", "document_no", "document_date", "move_qty", "source_document"),
    ] %}

    lines as (

        {% for document, number, day, quantity, reference in documents %}
            {% set heads = "deliveries" if document == "delivery" else document ~ "s" %}
            select
                '{{ document }}' as document_kind,
                lines.line_id,
                heads.{{ number }} as document_no,
                heads.{{ day }} as document_date,
                heads.source_business_type,
                heads.source_warehouse,
                heads.{{ reference }} as source_document,
                heads.is_approved,
                lines.source_product,
                lines.{{ quantity }} as quantity,
                lines.unit_cost_cny,
                lines.cost_amount_cny
            from {{ ref("stg_hc_u8__" ~ document ~ "_lines") }} as lines
            left join {{ ref("stg_hc_u8__" ~ heads) }} as heads on lines.document_id = heads.document_id
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}

    ),

    -- A negative quantity goes the other way.
    placed as (

        select
            *,
            case
                document_kind
                || ' '
                || case
                    when document_kind in ('other_receipt', 'other_issue') then source_business_type else ''
                end
                when 'goods_receipt '
                then if(quantity < 0, 'supplier_return', 'receipt')
                when 'product_receipt '
                then 'production_output'
                when 'delivery '
                then if(quantity < 0, 'return', 'delivery')
                when 'material_issue '
                then 'production_issue'
                when 'other_receipt 期初'
                then 'opening'
                when 'other_receipt 电商退货'
                then 'return'
                when 'other_issue 电商出库'
                then 'delivery'
                when 'other_receipt 调拨入库'
                then 'internal'
                when 'other_issue 调拨出库'
                then 'internal'
                when 'other_receipt 盘盈入库'
                then 'inventory_gain'
                when 'other_issue 盘亏出库'
                then 'inventory_loss'
                else 'other'
            end as move_kind,
            (document_kind in ('goods_receipt', 'product_receipt', 'other_receipt'))
            = (quantity >= 0) as is_in
        from lines

    ),

    moved as (

        select
            *,
            case when move_kind = 'internal' then 'TRANSIT' else 'not_applicable' end as other_warehouse_code,
            case
                when move_kind = 'internal'
                then 'storage'
                when move_kind in ('receipt', 'supplier_return')
                then 'supplier'
                when move_kind in ('delivery', 'return')
                then 'customer'
                when move_kind in ('production_issue', 'production_output')
                then 'production'
                else 'lost_found'
            end as other_location_type
        from placed

    )

select
    {{ key(["'stock_move'", "'hc_u8'", "moved.document_kind", "moved.line_id"]) }} as stock_move_key,
    moved.document_kind || ' ' || moved.line_id as stock_move_id,
    coalesce(items.product_key, 'unmatched') as product_key,
    case
        when moved.is_in then moved.other_warehouse_code else moved.source_warehouse
    end as from_location_code,
    case when moved.is_in then moved.source_warehouse else moved.other_warehouse_code end as to_location_code,
    case when moved.is_in then others.warehouse_key else own.warehouse_key end as from_warehouse_key,
    case when moved.is_in then own.warehouse_key else others.warehouse_key end as to_warehouse_key,
    case when moved.is_in then moved.other_location_type else 'storage' end as from_location_type,
    case when moved.is_in then 'storage' else moved.other_location_type end as to_location_type,
    moved.move_kind,
    moved.document_date as planned_date,
    moved.document_date as move_date,
    case when moved.is_approved then 'done' else 'draft' end as status_code,
    moved.is_approved as is_done,
    not moved.is_approved as is_open,
    cast(abs(moved.quantity) as decimal(18, 4)) as move_qty,
    items.uom_code,
    cast(abs(moved.quantity) as decimal(18, 4)) as move_qty_base,
    cast(abs(moved.quantity) as decimal(18, 4)) as stated_qty_base,
    items.base_uom_code,
    '{{ var("reporting_currency") }}' as currency_code,
    cast(moved.unit_cost_cny as decimal(18, 4)) as cost_price_cny,
    cast(abs(moved.cost_amount_cny) as decimal(18, 2)) as move_cost_amount_cny,
    cast(abs(moved.cost_amount_cny) as decimal(18, 2)) as stock_value_amount_cny,
    moved.document_no as shipment_no,
    moved.document_no as shipment_reference,
    moved.source_document,
    {{ of_company("HC") }},
    'hc_u8' as source_system,
    moved.document_kind || '_line' as source_stream,
    cast(moved.line_id as text) as source_record
from moved
left join items on moved.source_product = items.source_product
left join warehouses as own on own.source_system = 'hc_u8' and moved.source_warehouse = own.warehouse_code
left join
    warehouses as others
    on others.source_system = 'tieout'
    and moved.other_warehouse_code = others.warehouse_code
