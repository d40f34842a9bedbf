"""The review page: a local web server on which people check the proposed mistakes."""
