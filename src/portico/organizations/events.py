"""What happens to organizations, their members and teams."""
