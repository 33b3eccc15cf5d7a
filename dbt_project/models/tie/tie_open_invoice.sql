-- What is open of each invoice as the system that keeps it says: the document's gross amount less what it
-- counts as settled. Both stand on every line of the document and are taken once.
with

    receivable_lines as (
        select * from {{ ref("stg_hc_kingdee__receivable_lines") }} where source_status = 'C'
    ),
    payable_lines as (select * from {{ ref("stg_hc_kingdee__payable_lines") }} where source_status = 'C'),
    customers as ({{ known_to("hc_kingdee", "customer") }}),
    suppliers as ({{ known_to("hc_kingdee", "supplier") }}),

    documents as (

        select
            'sales' as flow,
            invoice_no,
            min(source_customer) as source_party,
            max(stated_document_gross_txn) as gross_amount_cny,
            max(stated_document_settled_txn) as settled_amount_cny,
            min(invoice_line_id) as first_line_id
        from receivable_lines
        group by invoice_id, invoice_no
        union all
        select
            'purchase' as flow,
            invoice_no,
            min(source_supplier) as source_party,
            max(stated_document_gross_txn) as gross_amount_cny,
            max(stated_document_settled_txn) as settled_amount_cny,
            min(invoice_line_id) as first_line_id
        from payable_lines
        group by invoice_id, invoice_no

    )

select
    documents.flow,
    documents.invoice_no,
    coalesce(
        case documents.flow when 'sales' then customers.customer_key else suppliers.supplier_key end,
        'unmatched'
    ) as party_key,
    cast(documents.gross_amount_cny as decimal(18, 2)) as gross_amount_cny,
    cast(documents.settled_amount_cny as decimal(18, 2)) as settled_amount_cny,
    cast(documents.gross_amount_cny - documents.settled_amount_cny as decimal(18, 2)) as amount_cny,
    'HC' as company_code,
    'hc_kingdee' as source_system,
    case documents.flow when 'sales' then 'receivable_line' else 'payable_line' end as source_stream,
    cast(documents.first_line_id as text) as source_record
from documents
left join customers on documents.source_party = customers.known_as
left join suppliers on documents.source_party = suppliers.known_as
