"""What every room stands on: database, unit of work, errors, tokens, paging, clock, outbox, embedded services."""
