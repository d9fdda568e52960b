// Socket.IO 4 with its Redis adapter: a JWT is checked at connect, and the client joins the room that it names.
import { createAdapter } from "@socket.io/redis-adapter";
import jwt from "jsonwebtoken";
import { createServer } from "node:http";
import { createClient } from "redis";
import { Server } from "socket.io";

const [port, redis] = process.argv.slice(2);
const secret = process.env.BENCH_JWT_SECRET;

const publisher = createClient({ url: redis });
const subscriber = publisher.duplicate();
await Promise.all([publisher.connect(), subscriber.connect()]);

const http = createServer((_, response) => response.end("ok"));
const server = new Server(http, { transports: ["websocket"], adapter: createAdapter(publisher, subscriber) });

server.use((socket, next) => {
  try {
    socket.data.user = jwt.verify(socket.handshake.auth.token, secret, { algorithms: ["HS256"] }).user_id;
    next();
  } catch {
    next(new Error("unauthenticated"));
  }
});

server.on("connection", (socket) => {
  socket.join(socket.handshake.auth.room);
  socket.emit("ready");
});

http.listen(Number(port), "127.0.0.1", 4096);
