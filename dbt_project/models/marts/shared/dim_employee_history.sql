-- Versions of a person: join by key and day, `valid_from <= day < valid_to`. One row per person and version.
{{
    dimension_history(
        "employee",
        {
            "employee_no": "employee_no",
            "name": "employee_name",
            "mobile": "phone",
            "hired_on": "hired_on",
        },
    )
}}
