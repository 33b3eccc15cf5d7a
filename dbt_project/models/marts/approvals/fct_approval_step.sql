{{ every_company("approval_steps") }}
