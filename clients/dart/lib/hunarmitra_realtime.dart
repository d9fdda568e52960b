/// Receive the events of a booking and a user's notifications, and send a worker's locations.
library;

export 'src/booking_stream.dart' show BookingStream;
export 'src/events.dart';
export 'src/location_sender.dart' show Location, LocationSender, SharingEnded, SharingState;
export 'src/notification_stream.dart' show MarkReadException, NotificationStream;
export 'src/realtime_stream.dart' show OpenChannel, RealtimeStream;
