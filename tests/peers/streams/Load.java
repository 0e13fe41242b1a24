// SPDX-License-Identifier: Apache-2.0
//
// The rule of bench_rules_kafka, by Kafka Streams: count, sum and greatest value by key over ten
// seconds of event time, a row for each key when its ten seconds are over.
//
//     Load BROKERS IN OUT exactly_once_v2|at_least_once rocksdb|memory STATE_DIR PARTITIONS
//
// Values are as cheap as can be: eight bytes in, 24 bytes out, no text. Makes the topics, says
// "ready" when it runs, and ends with its standard input.
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.WindowStore;

public final class Load {
    private static byte[] add(byte[] value, byte[] sum) {
        ByteBuffer was = ByteBuffer.wrap(sum);
        double v = ByteBuffer.wrap(value).getDouble();
        long n = was.getLong();
        double total = was.getDouble(), top = was.getDouble();
        ByteBuffer is = ByteBuffer.allocate(24);
        is.putLong(n + 1).putDouble(total + v).putDouble(n == 0 ? v : Math.max(top, v));
        return is.array();
    }

    public static void main(String[] args) throws Exception {
        Properties p = new Properties();
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, args[2] + "app");
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, args[3]);
        p.put(StreamsConfig.STATE_DIR_CONFIG, args[5]);
        p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 200);
        p.put(StreamsConfig.producerPrefix("compression.type"), "lz4");
        p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        p.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        Materialized<String, byte[], WindowStore<Bytes, byte[]>> store =
            Materialized.<String, byte[], WindowStore<Bytes, byte[]>>as("load")
                .withKeySerde(Serdes.String())
                .withValueSerde(Serdes.ByteArray());
        if (args[4].equals("memory")) {
            store = store.withStoreType(Materialized.StoreType.IN_MEMORY);
        }
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(args[1], Consumed.with(Serdes.String(), Serdes.ByteArray()))
            .groupByKey()
            .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofSeconds(10), Duration.ofSeconds(5)))
            .emitStrategy(EmitStrategy.onWindowClose())
            .aggregate(() -> new byte[24], (key, value, sum) -> add(value, sum), store)
            .toStream((window, row) -> window.key())
            .to(args[2], Produced.with(Serdes.String(), Serdes.ByteArray()));
        try (Admin admin = Admin.create(Map.<String, Object>of("bootstrap.servers", args[0]))) {
            int parts = Integer.parseInt(args[6]);
            admin.createTopics(List.of(new NewTopic(args[1], parts, (short) 1), new NewTopic(args[2], parts, (short) 1)))
                .all().get();
        }
        CountDownLatch runs = new CountDownLatch(1);
        KafkaStreams streams = new KafkaStreams(builder.build(), p);
        streams.setStateListener((now, was) -> {
            if (now == KafkaStreams.State.RUNNING) {
                runs.countDown();
            } else if (now == KafkaStreams.State.ERROR) {
                System.exit(1);
            }
        });
        streams.start();
        runs.await();
        System.out.println("ready");
        System.out.flush();
        while (System.in.read() >= 0) {
        }
        streams.close(Duration.ofSeconds(10));
        System.exit(0);
    }
}
