"""Mail: templates, the queue table, transports to a folder or by SMTP."""
