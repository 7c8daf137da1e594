"""Pictures of registrations."""
