"""What people see: consent, the device page, connected applications, refusals."""
