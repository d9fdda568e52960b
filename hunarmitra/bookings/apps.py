from django.apps import AppConfig


class BookingsConfig(AppConfig):
    name = "hunarmitra.bookings"
    verbose_name = "Bookings"
