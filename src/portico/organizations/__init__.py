"""Organizations: members, roles, teams, invitations, domains, and the rules that each sets itself."""
