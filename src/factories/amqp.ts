export { AmqpChannelFactory, AmqpConfirmChannelFactory, type AmqpChannelOptions } from './amqp/channels.js';
export { AmqpConnectionFactory, type AmqpConnectionOptions } from './amqp/connections.js';
export type { OptionsSource } from './client/configured-connection-factory.js';
