"""What can go wrong with organizations.

OrganizationNotFound   organization_not_found   404   `portico.http.access`: also for whoever is no member
LastOwner              last_owner               409   `portico.access`
"""
