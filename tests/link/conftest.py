from hypothesis import settings

# Machines that run the tests may be busy: an example's time says nothing there.
settings.register_profile("denc", deadline=None)
settings.load_profile("denc")
