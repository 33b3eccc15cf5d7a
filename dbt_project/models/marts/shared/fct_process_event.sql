{{ every_company("process_events") }}
